/**
 * Times `mbs evaluate` against transformers: the same model, windows, threads and machine, in turn, and writes the table into
 * docs/performance.md, between `<!-- bench evaluation -->` and `<!-- end -->`.
 *
 * usage: node --import tsx tools/bench/evaluation/run.ts --output FOLDER --python PYTHON [--windows 24] [--length 512]
 *          [--threads 1] [--repeats 3]
 *   --python  with torch and transformers
 *
 * Needs `npm run build`. The model is random, of the shape smollm2-135m (tools/bench/programs/make_model.py); the one of
 * 4 bits is made from it by rtn in groups of 64, in format gptq. Each measurement is a line of FOLDER/measured.jsonl; those
 * that are there are not made again.
 */
import { spawnSync } from "node:child_process";
import { appendFileSync, copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { openModel } from "@mbs/models";
import { markdownTable, replaceBlocks } from "../../pages/blocks.ts";
import { parseLines, showSpread, spreadOf } from "../programs/measured.ts";

interface Measured {
  readonly program: string;
  readonly repeat: number;
  readonly seconds: number;
  readonly processorSeconds: number;
  readonly wholeProcessorSeconds: number;
  readonly peakBytes: number;
  readonly perplexity: number;
}

const { values } = parseArgs({
  options: {
    output: { type: "string" },
    python: { type: "string" },
    windows: { type: "string", default: "24" },
    length: { type: "string", default: "512" },
    threads: { type: "string", default: "1" },
    repeats: { type: "string", default: "3" },
  },
});
const { output, python, threads } = values;
if (output === undefined || python === undefined) throw new Error("usage: run.ts --output FOLDER --python PYTHON");
const [windows, length] = [Number(values.windows), Number(values.length)];
const folder = resolve(output);
const root = fileURLToPath(new URL("../../../", import.meta.url));
const here = (name: string): string => join(root, "tools/bench/evaluation", name);
const inFolder = (name: string): string => join(folder, name);
const [dense, packed, corpus, tokens] = [inFolder("dense"), inFolder("packed"), inFolder("corpus"), inFolder("tokens.json")];
const log = inFolder("measured.jsonl");

function start(command: string, args: readonly string[]): string {
  const made = spawnSync(command, args, { encoding: "utf8", maxBuffer: 2 ** 26, cwd: root });
  if (made.status !== 0) throw new Error(`${command} ${args.join(" ")} failed:\n${made.stderr}`);
  return made.stdout;
}
const mbs = (...args: readonly string[]): string => start(process.execPath, [join(root, "packages/mbs/bin/mbs.js"), ...args]);

mkdirSync(corpus, { recursive: true });
const texts = join(corpus, "en.jsonl");
copyFileSync(join(root, "datasets/controlled-texts/calibration/en.jsonl"), texts);
if (!existsSync(dense)) {
  start(python, [
    join(root, "tools/bench/programs/make_model.py"),
    "smollm2-135m",
    join(root, "datasets/controlled-bloom"),
    dense,
  ]);
}
if (!existsSync(packed)) {
  const layers = inFolder("layers.arrow");
  mbs(
    "compress",
    "--model",
    dense,
    "--solver",
    "rtn",
    "--bits",
    "4",
    "--group-size",
    "64",
    "--without-factors",
    "--output",
    layers,
  );
  mbs("assemble", "--model", dense, "--format", "gptq", "--output", packed, "--layers", layers);
}
if (!existsSync(tokens)) {
  // as evaluate cuts them: the texts joined by blank lines, in windows that do not overlap
  const model = await openModel(dense);
  const lines = readFileSync(texts, "utf8").trim().split("\n");
  const joined = lines.map((line) => (JSON.parse(line) as { text: string }).text).join("\n\n");
  const encoded = (await model.tokenizer()).encode(joined);
  const cut = Array.from({ length: windows }, (_, index) => Array.from(encoded.subarray(index * length, (index + 1) * length)));
  writeFileSync(tokens, JSON.stringify(cut));
  await model.close();
}

const peer = (dtype: string) => (): string =>
  start(python, [here("peer.py"), dense, tokens, "--dtype", dtype, "--threads", threads]);
const ours = (model: string, activations: string) => (): string => {
  const settings = [model, corpus, String(windows), String(length), threads, activations];
  return start(process.execPath, ["--import", "tsx", here("ours.ts"), ...settings]);
};
const reference = "transformers, float32";
const programs: ReadonlyMap<string, () => string> = new Map([
  [reference, peer("float32")],
  ["transformers, bfloat16", peer("bfloat16")],
  ["ours, bf16 weights, float32", ours(dense, "float32")],
  ["ours, 4 bits, float32", ours(packed, "float32")],
  ["ours, 4 bits, `--activations int8`", ours(packed, "int8")],
]);
const readLog = (): readonly Measured[] =>
  existsSync(log) ? (parseLines(readFileSync(log, "utf8")) as readonly Measured[]) : [];
for (let repeat = 0; repeat < Number(values.repeats); repeat++) {
  for (const [program, run] of programs) {
    if (readLog().some((one) => one.program === program && one.repeat === repeat)) continue;
    process.stderr.write(`bench: ${program}, repeat ${repeat + 1}\n`);
    const found = JSON.parse(run().trim().split("\n").at(-1) ?? "") as object;
    appendFileSync(log, `${JSON.stringify({ program, repeat, ...found })}\n`);
  }
}

const measured = readLog();
const spread = (program: string, figure: (one: Measured) => number) =>
  spreadOf(measured.filter((one) => one.program === program).map(figure));
const byClock = ({ seconds }: Measured): number => (windows * length) / seconds;
const byProcessor = ({ processorSeconds }: Measured): number => (windows * length) / processorSeconds;
const ratio = (program: string, figure: (one: Measured) => number): string =>
  (spread(program, figure).median / spread(reference, figure).median).toFixed(2);
const rows = [...programs.keys()].map((program) => [
  program,
  showSpread(spread(program, byClock)),
  ratio(program, byClock),
  showSpread(spread(program, byProcessor)),
  `**${ratio(program, byProcessor)}**`,
  showSpread(spread(program, (one) => one.wholeProcessorSeconds)),
  (spread(program, (one) => one.peakBytes).median / 2 ** 20).toFixed(0),
  spread(program, (one) => one.perplexity).median.toFixed(0),
  String(measured.filter((one) => one.program === program).length),
]);
const head = [
  "what",
  "tokens a second",
  "ratio",
  "tokens a processor second",
  "ratio",
  "processor seconds in all",
  "peak MiB",
  "perplexity",
  "runs",
];
const page = join(root, "docs/performance.md");
writeFileSync(page, replaceBlocks(readFileSync(page, "utf8"), "bench", { evaluation: markdownTable(head, rows) }));
