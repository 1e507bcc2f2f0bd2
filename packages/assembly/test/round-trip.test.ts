import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { unpackFiles } from "@mbs/artifacts";
import { at } from "@mbs/contracts";
import { openModel, writeSafetensors } from "@mbs/models";
import { encodeWeights } from "@mbs/numbers";
import { floatValues } from "@mbs/onnx";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { assemble } from "../src/index.ts";
import { caseLayers, quietContext } from "./fixtures/quantised-model.ts";
import type { FormatCase } from "./fixtures/quantised-model.ts";
import { openDecoder } from "./fixtures/written-decoder.ts";

const datasets = new URL("../../../datasets/", import.meta.url);
/** The trained model, in half precision: rounding that harms shows in its perplexity. */
const trained = fileURLToPath(new URL("controlled-bloom-small", datasets));
const heldout = new URL("controlled-texts/heldout/", datasets);
const languages = (await readdir(heldout)).filter((name) => name.endsWith(".jsonl")).slice(0, 3);
const windowTokens = 256;

const root = await mkdtemp(join(tmpdir(), "round-trip-test-"));
test.after(() => rm(root, { recursive: true }));

/** The trained model in bf16. */
async function writeBrain(): Promise<string> {
  const folder = await mkdtemp(join(root, "bf16-"));
  const model = await openModel(trained);
  const tensors = model.checkpoint.list().map((info) => ({ ...info, storedDtype: "BF16", dtype: "bf16" as const }));
  const values = new Map<string, Uint8Array>();
  for (const { name } of tensors) values.set(name, encodeWeights("bf16", await model.checkpoint.readF32(name)));
  await model.close();
  const bytes = writeSafetensors(tensors, { format: "pt" }, ({ name }) => [values.get(name) ?? new Uint8Array(0)]);
  await writeFile(join(folder, "model.safetensors"), bytes);
  for (const name of ["tokenizer.json", "tokenizer_config.json"]) await cp(join(trained, name), join(folder, name));
  const config = JSON.parse(await readFile(join(trained, "config.json"), "utf8")) as object;
  await writeFile(join(folder, "config.json"), JSON.stringify({ ...config, dtype: "bfloat16" }));
  return folder;
}

/** One window of held-out text in each language. */
async function readWindows(): Promise<Int32Array[]> {
  const model = await openModel(trained);
  const tokenizer = await model.tokenizer();
  const windows = languages.map(async (language) => {
    const lines = (await readFile(new URL(language, heldout), "utf8")).trim().split("\n");
    const texts = lines.slice(0, 40).map((line) => (JSON.parse(line) as { text: string }).text);
    return tokenizer.encode(texts.join("\n")).subarray(0, windowTokens);
  });
  await model.close();
  return Promise.all(windows);
}
const windows = await readWindows();

const perplexityOf = (losses: readonly Float64Array[]): number => {
  const all = losses.flatMap((window) => [...window]);
  return Math.exp(all.reduce((sum, loss) => sum + loss, 0) / all.length);
};

async function perplexity(folder: string): Promise<number> {
  const model = await openModel(folder);
  const forward = await model.forward({ threads: 2 });
  const losses: Float64Array[] = [];
  for (const tokens of windows) {
    let states = await forward.embed(tokens);
    for (const index of model.blocks.keys()) states = await forward.block(index, states);
    losses.push(await forward.score(states, tokens));
  }
  await forward.close();
  await model.close();
  return perplexityOf(losses);
}

/** Of a written decoder, by ONNX Runtime. */
async function onnxPerplexity(folder: string): Promise<number> {
  const { n_head: heads, hidden_size: hidden } = JSON.parse(await readFile(join(folder, "config.json"), "utf8")) as {
    n_head: number;
    hidden_size: number;
  };
  const decoder = await openDecoder(folder, [heads, hidden / heads]);
  const losses: Float64Array[] = [];
  for (const tokens of windows) {
    const mask = [Array.from(tokens, () => 1)];
    const logits = floatValues(await decoder.run([[...tokens]], mask), "logits");
    const size = logits.length / tokens.length;
    const lossAt = (position: number): number => {
      const row = logits.subarray(position * size, (position + 1) * size);
      const most = row.reduce((a, b) => Math.max(a, b), -Infinity);
      return most + Math.log(row.reduce((sum, value) => sum + Math.exp(value - most), 0)) - at(row, at(tokens, position + 1));
    };
    losses.push(Float64Array.from({ length: tokens.length - 1 }, (_, position) => lossAt(position)));
  }
  await decoder.session.release();
  return perplexityOf(losses);
}

async function measure(source: string, format: string, rounding: FormatCase["rounding"], options: object = {}): Promise<number> {
  const model = await openModel(source);
  const layers = [caseLayers(model, { name: format, format, rounding })];
  const folder = await mkdtemp(join(root, "folder-"));
  const { files } = await assemble.run({ layers }, { model: source, format, ...options }, quietContext);
  assert.ok(files);
  await unpackFiles(files, folder, { force: true });
  await model.close();
  return format === "onnx" ? onnxPerplexity(folder) : perplexity(folder);
}

const four: FormatCase["rounding"] = () => ({ bits: 4, groupSize: 128, symmetric: true });
const three: FormatCase["rounding"] = () => ({ bits: 3, groupSize: 64, symmetric: false, pruned: true });
const mixed: FormatCase["rounding"] = (tensor) => ({ bits: tensor.includes(".mlp.") ? 3 : 8, groupSize: 64, symmetric: true });

for (const dtype of ["f16", "bf16"]) {
  const source = dtype === "f16" ? trained : await writeBrain();
  const known = new Map<FormatCase["rounding"], Promise<number>>();
  /** Of the dense folder: several formats are compared with it. */
  const denseOf = (rounding: FormatCase["rounding"]): Promise<number> => {
    const found = known.get(rounding) ?? measure(source, "dense", rounding);
    known.set(rounding, found);
    return found;
  };
  for (const [name, rounding, formats] of [
    ["4 bits", four, ["gptq"]],
    ["3 bits", three, ["gptq-v2", "compressed-tensors"]],
  ] as const) {
    test(`a trained ${dtype} model in ${name}, packed and read back, has the dense folder's perplexity`, async () => {
      const dense = await denseOf(rounding);
      // what is read back is the dense folder's values to the bit, and goes through the same graph
      for (const format of formats) assert.is(await measure(source, format, rounding), dense, format);
    });
  }
  // The graph multiplies by (code - zero) · scale in float32, the dense folder rounds that to its dtype: each weight by up to
  // 2⁻¹¹ (f16) or 2⁻⁸ (bf16), independently, so that √n of n terms count. That is far above the rounding of sums.
  for (const [name, rounding, options] of [
    ["4 bits", four, {}],
    ["3 bits in planes", three, { threeBit: "planes" }],
    ["3 bits in nibbles", three, { threeBit: "nibbles" }],
    ["3 and 8 bits", mixed, {}],
  ] as const) {
    test(`a trained ${dtype} model in ${name}, as ONNX, has the dense folder's perplexity to 0.1%`, async () => {
      const [dense, written] = [await denseOf(rounding), await measure(source, "onnx", rounding, options)];
      assert.ok(Math.abs(written / dense - 1) < 1e-3, `${written}, dense ${dense}`);
    });
  }
}

test.run();
