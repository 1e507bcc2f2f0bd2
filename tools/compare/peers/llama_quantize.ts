/**
 * llama-quantize with the importance matrix of `mbs imatrix`, on the tokens of a row.
 *
 * usage: node --conditions=mbs-source --import tsx llama_quantize.ts MODEL SEGMENTS OUTPUT --type T --source LLAMA --threads N
 *   MODEL   a Hugging Face folder or GGUF file, which is first written as a GGUF file in float32
 *   OUTPUT  a folder, in which model.gguf appears
 *   LLAMA   a folder in which node-llama-cpp 3.21.1 and koffi are installed
 *
 * File and matrix are kept beside OUTPUT for other types of the same tokens. The last line is what quantising took, without them.
 */
import { existsSync } from "node:fs";
import { mkdir, rename } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { startMbs } from "../start.ts";
import { llamaFileTypes, loadNative } from "../../imatrix-check/ggml.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { type: { type: "string" }, source: { type: "string" }, threads: { type: "string", default: "1" } },
});
const [model, segments, output] = positionals;
const { type = "", source, threads } = values;
const fileType = llamaFileTypes.get(type);
if (model === undefined || segments === undefined || output === undefined || source === undefined || fileType === undefined)
  throw new Error(`llama_quantize.ts MODEL SEGMENTS OUTPUT --source LLAMA --type ${[...llamaFileTypes.keys()].join("|")}`);

const mbs = (args: readonly string[]): string => startMbs([...args, "--force", "--quiet"], threads);

const made = join(dirname(output), "llama-quantize");
await mkdir(made, { recursive: true });
const dense = join(made, "dense");
if (!existsSync(dense))
  mbs(["assemble", "--without-layers", "--model", model, "--format", "gguf", "--type", "F32", "--output", dense]);
const matrix = join(made, basename(segments, ".arrow"));
if (!existsSync(matrix)) {
  const statistics = `${matrix}.statistics.arrow`;
  mbs(["capture", "--model", model, "--source", segments, "--statistics", "diagonal", "--output", statistics]);
  mbs(["imatrix", "--model", model, "--statistics", statistics, "--output", matrix]);
}

const native = loadNative(source);
const { means } = native.readImatrix(join(matrix, "imatrix.gguf"));
const unfinished = `${output}.unfinished`;
await mkdir(unfinished, { recursive: true });
const [began, processor] = [performance.now(), process.cpuUsage()];
native.quantize({
  model: join(dense, "model.gguf"),
  output: join(unfinished, "model.gguf"),
  fileType,
  means,
  threads: Number(threads),
});
const { user, system } = process.cpuUsage(processor);
await rename(unfinished, output);
const peakBytes = process.resourceUsage().maxRSS * 1024;
const spent = { seconds: (performance.now() - began) / 1e3, processorSeconds: (user + system) / 1e6, peakBytes };
process.stdout.write(`${JSON.stringify(spent)}\n`);
