import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { unpackFiles } from "@mbs/artifacts";
import { at, BadDataError, formatBytes } from "@mbs/contracts";
import { openModel } from "@mbs/models";
import { writeTinyModel } from "@mbs/models/testing";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { parse } from "yaml";
import { loadBlocks } from "../src/card/model-card.ts";
import { codeBlock, plainText, table } from "../src/card/markdown.ts";
import { changeText } from "../src/card/size-report.ts";
import { formatNames } from "../src/formats.ts";
import { assemble, describeModel, formatSize, formatSizeReport, sizeReport } from "../src/index.ts";
import type { CardResults } from "../src/index.ts";
import { caseLayers, formatCases, quietContext } from "./fixtures/quantised-model.ts";

const root = await mkdtemp(join(tmpdir(), "card-test-"));
test.after(() => rm(root, { recursive: true }));

/** Writes a folder from a model that lies in a Hub cache. */
async function write(name: string, options: object, keys: object = {}): Promise<string> {
  const source = join(root, name, "models--org--tiny", "snapshots", "a".repeat(40));
  await mkdir(source, { recursive: true });
  await writeTinyModel(source, { seed: 5, hiddenSize: 64 });
  const config = join(source, "config.json");
  await writeFile(config, JSON.stringify({ ...(JSON.parse(await readFile(config, "utf8")) as object), ...keys }));
  await writeFile(join(source, "README.md"), '---\nlanguage: en\nlicense: "bigscience-bloom-rail-1.0"\n---\n# The source\n');
  const model = await openModel(source);
  const output = join(root, name, "output");
  const layers = [caseLayers(model, at(formatCases, 0))];
  const { files } = await assemble.run({ layers }, { model: source, ...options }, quietContext);
  assert.ok(files);
  await unpackFiles(files, output, { force: false });
  await model.close();
  return output;
}

const sizeOf = async (folder: string): Promise<number> => (await stat(join(folder, "model.safetensors"))).size;

interface Metadata {
  readonly language: readonly string[];
  readonly license: string;
  readonly base_model: string;
  readonly base_model_relation: string;
  readonly library_name: string;
  readonly pipeline_tag: string;
  readonly tags: readonly string[];
  readonly "model-index": readonly { readonly name: string; readonly results: readonly object[] }[];
}

/** The YAML at the head of a card, as the Hub reads it: version 1.1, in which an unquoted "no" is false. */
const metadataOf = (card: string): Partial<Metadata> =>
  parse(at(card.split("---\n"), 1), { version: "1.1" }) as Partial<Metadata>;

test("the card names base model, licence, languages, method, mix and addresses", async () => {
  const folder = await write("full", { format: "gptq" });
  const card = await readFile(join(folder, "README.md"), "utf8");
  assert.equal(metadataOf(card), {
    language: ["en"],
    license: "bigscience-bloom-rail-1.0",
    base_model: "org/tiny",
    base_model_relation: "quantized",
    library_name: "transformers",
    pipeline_tag: "text-generation",
    tags: ["multilingual-brain-surgeon", "rtn", "4-bit", "gptq"],
  });
  for (const line of ["# tiny, rounding to nearest", "## How to load it", "| en | 100.00% |"])
    assert.ok(card.split("\n").includes(line), `${line}\n${card}`);
  assert.match(card, `Stored as gptq: ${changeText(await sizeReport(folder))}`, "the size that run and assemble print");
  assert.match(card, "with transformers where gptqmodel is installed:\n\n```python\n");
  const record = JSON.parse(await readFile(join(folder, "mbs.json"), "utf8")) as { model: string; layers: { address: string }[] };
  assert.ok(card.includes(`\`${record.model}\``) && card.includes(`\`${at(record.layers, 0).address}\``));
  assert.not(card.includes("The source"), "the source's own card is not carried");
});

test("card and record say how a model was rotated before, also when the card is written again", async () => {
  const rotation = { stream: "hadamard", values: "random", seed: 7, source: "c".repeat(64), dtype: "f16" };
  const folder = await write("rotated", { format: "gptq" }, { mbs_rotation: rotation });
  const record = JSON.parse(await readFile(join(folder, "mbs.json"), "utf8")) as { rotation: object };
  assert.equal(record.rotation, rotation);
  await describeModel(folder, {});
  const card = await readFile(join(folder, "README.md"), "utf8");
  assert.match(card, /^- before that, its weights were rotated \(residual stream: hadamard, values: random, seed 7\).*`c{64}`$/m);
});

test("card and record say how a vocabulary was trimmed before", async () => {
  const trimming = {
    source: "d".repeat(64),
    tokenizer: "e".repeat(64),
    rows: 4096,
    keep: ["en", "hi"],
    corpus: "f".repeat(64),
    unnamed: [],
  };
  const folder = await write("trimmed", { format: "gptq" }, { mbs_trimming: trimming });
  const record = JSON.parse(await readFile(join(folder, "mbs.json"), "utf8")) as { trimming: { kept: number } };
  assert.equal(record.trimming, { ...trimming, kept: 260 });
  await describeModel(folder, {});
  const card = await readFile(join(folder, "README.md"), "utf8");
  assert.match(card, /^- before that, its vocabulary was trimmed to the tokens of en, hi: 260 of 4096 rows\..*`d{64}`$/m);
});

test("layers of several artifacts have one address, made of theirs in the order of the record", async () => {
  const folder = await write("several", { format: "gptq" });
  const path = join(folder, "mbs.json");
  const record = JSON.parse(await readFile(path, "utf8")) as { layers: { address: string }[] };
  const layers = ["b".repeat(64), "a".repeat(64)].map((one) => ({ ...record.layers[0], address: one }));
  await writeFile(path, JSON.stringify({ ...record, layers }));
  await describeModel(folder, {});
  const card = await readFile(join(folder, "README.md"), "utf8");
  const whole = createHash("sha256")
    .update(`${"b".repeat(64)}\n${"a".repeat(64)}\n`)
    .digest("hex");
  assert.equal(
    card.split("\n").filter((line) => line.startsWith("- layers: ")),
    [
      `- layers: \`${whole}\`, of 2 artifacts: the SHA-256 of their addresses, a line each in the order of \`mbs.json\` (\`jq -r '.layers[].address' mbs.json | sha256sum\`)`,
    ],
  );
  assert.not(card.includes("a".repeat(64)));
});

test("methods of blocks and of embedding and head are told apart, and numbers are short", async () => {
  const folder = await write("apart", { format: "gptq" });
  const path = join(folder, "mbs.json");
  const record = JSON.parse(await readFile(path, "utf8")) as { layers: { options: object }[] };
  const options = { bitsPerWeight: 4.174479166666667 };
  const layers = [options, { ...options, embeddings: "on" }, options].map((own) => ({ ...record.layers[0], options: own }));
  await writeFile(path, JSON.stringify({ ...record, layers }));
  await describeModel(folder, {});
  const card = await readFile(join(folder, "README.md"), "utf8");
  assert.equal(
    card.split("\n").filter((line) => /^\| (blocks|embedding)/.test(line)),
    [
      "| blocks | rtn | natural | bitsPerWeight 4.174 |",
      "| embedding and head | rtn | natural | bitsPerWeight 4.174, embeddings on |",
    ],
  );
});

const address = "c".repeat(64);
const results: CardResults = {
  models: ["dense", "small", "usual"],
  subject: "small",
  methods: new Map([["usual", "rounding to nearest Q2_K"]]),
  corpora: [address],
  results: [
    { model: "dense", language: "no", perplexity: 8.166, interval: [8, 8.5] },
    { model: "dense", language: "zh-Hans", perplexity: 4.5, interval: [NaN, NaN] },
    { model: "small", language: "no", perplexity: 9.974, interval: [9.5, 10.25] },
  ],
  pairs: [{ model: "small", language: "no", rise: 0.2214, interval: [0.2, 0.25] }],
  averages: [{ model: "dense", unweighted: { perplexity: 6, interval: [5.5, 6.5] }, worst: { language: "no" } }],
  distances: [{ model: "small", language: "no", kl: 0.01234, klInterval: [0.01, 0.015], agreement: 0.951 }],
  tasks: {
    results: [
      { model: "dense", task: "xnli_no", metric: "acc", value: 0.5, interval: [0.4, 0.6], chance: 1 / 3 },
      { model: "small", task: "xnli_no", metric: "acc", value: 0.4, interval: [0.3, 0.5], chance: 1 / 3 },
    ],
    pairs: [{ model: "small", task: "xnli_no", metric: "acc", difference: -0.1, interval: [-0.2, -0.05], flips: 0.25 }],
    means: [
      { model: "dense", name: "xnli", of: "group", value: 0.5, interval: [0.4, 0.6], chance: null },
      { model: "dense", name: "no", of: "language", value: 0.5, interval: [0.4, 0.6], chance: null },
    ],
  },
};

test("a rewritten card has results before and after, what the Hub reads of them, and the recipe", async () => {
  const folder = await write("described", { format: "compressed-tensors" });
  const before = metadataOf(await readFile(join(folder, "README.md"), "utf8"));
  await describeModel(folder, { results, recipe: "model: org/tiny\n" });
  const card = await readFile(join(folder, "README.md"), "utf8");
  const { "model-index": index, ...rest } = metadataOf(card);
  assert.equal(rest, before);
  const dataset = { name: "held-out text (no)", type: "text", config: "no", revision: address };
  const metrics = [
    { type: "perplexity", value: 9.974 },
    { type: "kl-divergence", name: "KL divergence from dense", value: 0.01234 },
  ];
  const task = { type: "text-generation" };
  const answers = { task, dataset: { name: "xnli_no", type: "xnli_no" }, metrics: [{ type: "acc", value: 0.4 }] };
  assert.equal(index, [{ name: "tiny, rounding to nearest", results: [{ task, dataset, metrics }, answers] }]);
  assert.not.match(card, /: [&*]a\d/, "written out: not every reader of YAML knows aliases");
  for (const line of [
    "Models: dense, the model that the others are compared with; small, the one in this folder; usual, rounding to nearest Q2_K.",
    "| language | dense | small | rise of small | usual | rise of usual |",
    "| no | 8.17 (8.00 to 8.50) | 9.97 (9.50 to 10.25) | +22.14% (+20.00% to +25.00%) | – | – |",
    "| zh-Hans | 4.50 (too few windows) | – | – | – | – |",
    "| mean of languages | 6.00 (5.50 to 6.50) | – | – | – | – |",
    "| worst language | no 8.17 (8.00 to 8.50) | – | – | – | – |",
    `Texts: \`${address}\`.`,
    "| no | 0.0123 (0.0100 to 0.0150) | 95.1% |",
    "| task | metric | chance | dense | small | against dense | flips | usual | against dense | flips |",
    "| xnli_no | acc | 33.3% | 50.0% (40.0% to 60.0%) | 40.0% (30.0% to 50.0%) | -10.0 (-20.0 to -5.0) | 25.0% | – | – | – |",
    "| xnli | mean | – | 50.0% (40.0% to 60.0%) | – | – | – | – | – | – |",
    "model: org/tiny",
  ]) {
    assert.ok(card.split("\n").includes(line), `${line}\n${card}`);
  }
  assert.match(
    card,
    /The worst language of dense is the one with the highest perplexity, that of the others the one that rose most above dense;/,
  );
  await describeModel(folder, { results: { ...results, subject: undefined }, name: "local" });
  const other = await readFile(join(folder, "README.md"), "utf8");
  assert.is(metadataOf(other)["model-index"], undefined);
  assert.match(other, "# tiny, rounding to nearest\n", "the Hub's name before any other");
  assert.match(other, "None of the models is the one in this folder.");
  try {
    await describeModel(root, {});
    assert.unreachable();
  } catch (error) {
    assert.instance(error, BadDataError);
    assert.match(String(error), "has no mbs.json; name a folder that mbs assemble has made");
  }
});

test("the card of layers that needed no texts names no languages and no mix", async () => {
  const folder = await write("uncalibrated", {});
  const path = join(folder, "mbs.json");
  const record = JSON.parse(await readFile(path, "utf8")) as { layers: object[] };
  await writeFile(path, JSON.stringify({ ...record, layers: record.layers.map((layers) => ({ ...layers, weights: {} })) }));
  await describeModel(folder, {});
  const card = await readFile(join(folder, "README.md"), "utf8");
  assert.match(card, /: compressed without calibration texts\.\n/);
  assert.not.match(card, /Calibration mix|NaN|\n\n\n/);
  assert.not.ok("language" in metadataOf(card));
});

test("--base-model names what neither path nor configuration does, and --no-card leaves the card out", async () => {
  const named = await readFile(join(await write("named", { baseModel: "other/name" }), "README.md"), "utf8");
  assert.match(named, 'base_model: "other/name"\n');
  const folder = await write("without", { card: false });
  assert.is(await readFile(join(folder, "README.md"), "utf8").catch(() => "none"), "none");
});

test("every format says what loads it, and a graph is no model of transformers", async () => {
  for (const format of formatNames) {
    const [first = ""] = loadBlocks({ format }, { bytes: 1, graph: format === "onnx" });
    assert.match(first, /^With /, format);
  }
  assert.match(loadBlocks({ format: "onnx" }, { bytes: 1, graph: true }).join("\n"), "transformers.js");
  assert.not.match(loadBlocks({ format: "dense" }, { bytes: 1, graph: true }).join("\n"), "transformers");
});

test("sizes count scales and indices, and say what is an estimate", async () => {
  const folder = await write("sizes", { format: "gptq" });
  const report = await sizeReport(folder);
  // A layer of [rows, columns] has 4 bits a code, and for every 32 columns a scale of 16 bits and a zero of 4; g_idx has
  // 32 bits a column: over the rows 192, 64, 256 and 64 of the four layers.
  const [rows, columns] = [
    [192, 64, 256, 64],
    [64, 64, 64, 256],
  ];
  const weights = rows.reduce((sum, count, index) => sum + count * at(columns, index), 0);
  const bits = rows.reduce((sum, count, index) => sum + count * at(columns, index) * (4 + 20 / 32) + at(columns, index) * 32, 0);
  assert.is(report.format, "gptq");
  assert.ok(Math.abs((report.bitsACompressedWeight ?? 0) - bits / weights) < 1e-9, String(report.bitsACompressedWeight));
  const { ratio = NaN, sourceBytes = NaN } = report;
  assert.ok(ratio > 1.5 && ratio < 3.5 && (report.estimatedSpeed ?? 0) >= ratio * 0.9, JSON.stringify(report));
  // file beside file: what `ls` shows
  const source = join(root, "sizes", "models--org--tiny", "snapshots", "a".repeat(40));
  assert.equal([sourceBytes, report.bytesOnDisk], [await sizeOf(source), await sizeOf(folder)]);
  assert.match(
    formatSizeReport(report),
    `gptq: ${formatBytes(report.bytesOnDisk)} from ${formatBytes(sourceBytes)}, ${ratio.toFixed(2)} times smaller; ${report.bitsAWeight.toFixed(2)} bits a weight\n`,
  );
  assert.match(formatSizeReport(report), "an estimate from the bytes that a token reads, not measured\n");
  const dense = await sizeReport(await write("dense", {}));
  assert.equal([dense.format, dense.estimatedSpeed], ["dense", 1]);
  assert.match(
    formatSizeReport(dense),
    /^dense: [\d.]+ kB from [\d.]+ kB, as large; 1[67]\.\d+ bits a weight; no weight is packed; --format gptq, /,
  );
});

test("report and card say which bits the tensors have, where these differ", async () => {
  const folder = await write("storage", { format: "gptq" });
  assert.is((await sizeReport(folder)).storage, undefined);
  const path = join(folder, "mbs.json");
  const record = JSON.parse(await readFile(path, "utf8")) as { tensors: Record<string, { bits: number }> };
  const [first = ""] = Object.keys(record.tensors);
  await writeFile(
    path,
    JSON.stringify({ ...record, tensors: { ...record.tensors, [first]: { ...record.tensors[first], bits: 2 } } }),
  );
  const report = await sizeReport(folder);
  assert.equal(report.storage?.storages, ["2", "4"]);
  assert.match(formatSizeReport(report), /not measured\ntensors +2 +4 +bits\nmlp\.dense_4h_to_h +1 +1 +3\.00\n/);
  await describeModel(folder, {});
  assert.match(
    await readFile(join(folder, "README.md"), "utf8"),
    /\| tensors \| 2 \| 4 \|\n\| --- .*\n\| mlp\.dense_4h_to_h \| 1 \| 1 \|/,
  );
});

test("zeros take as many bytes: a model that is only pruned is not said to be smaller, nor told to be packed", () => {
  const report = { format: "onnx", bytesOnDisk: 1010, sourceBytes: 1000, bitsAWeight: 16, prunedOnly: true, isEncoder: false };
  const text = formatSizeReport({ ...report, bitsACompressedWeight: 16 });
  assert.match(
    text,
    /^onnx: .* as large; 16\.00 bits a weight\npruned weights are stored as zeros in every format .*--bits 4\n$/,
  );
  const dense = formatSizeReport({ ...report, format: "dense" });
  assert.match(dense, /^dense: .*; no weight is packed\npruned weights are stored as zeros/);
  assert.match(formatSize({ ...report, sourceBytes: 2020 }), "1.01 kB from 2.02 kB, 2.00 times smaller; 16.00 bits a weight");
});

test("names that users give come out as plain text: no HTML, link, code or second line", () => {
  assert.is(plainText('<script>alert("x")</script>\n# b'), '&lt;script&gt;alert("x")&lt;/script&gt; # b');
  assert.is(plainText("](javascript:alert(1))"), "\\](javascript:alert(1))");
  assert.is(table(["a|b"], [["`x`\n| y"]]), "| a\\|b |\n| --- |\n| \\`x\\` \\| y |");
  assert.is(codeBlock("yaml", "a: |\n  ```\n  b"), "````yaml\na: |\n  ```\n  b\n````");
});

test("the title names the model where the Hub has no name for it, without the file's type", async () => {
  const source = join(root, "gemma-3-270m");
  await writeTinyModel(source, { hiddenSize: 64 });
  const model = await openModel(source);
  const { files } = await assemble.run({ layers: [caseLayers(model, at(formatCases, 0))] }, { model: source }, quietContext);
  assert.ok(files);
  await unpackFiles(files, join(root, "titled"));
  await model.close();
  assert.match(await readFile(join(root, "titled", "README.md"), "utf8"), /^# gemma-3-270m, rounding to nearest$/m);
  await describeModel(join(root, "titled"), { name: "gemma-3-270m-q4_k_m.gguf" });
  assert.match(await readFile(join(root, "titled", "README.md"), "utf8"), /^# gemma-3-270m, rounding to nearest$/m);
});

test("a base model is a name on the Hub", async () => {
  for (const baseModel of ["](javascript:alert(1))<script>", "bloom", "a/b/c", "../x"]) {
    try {
      await assemble.run({ layers: [] }, { model: ".", baseModel }, quietContext);
      assert.unreachable(baseModel);
    } catch (error) {
      assert.match(String(error), "--base-model takes a name on the Hub, ORG/NAME, not");
    }
  }
});

test.run();
