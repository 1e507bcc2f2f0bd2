import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { encodeScores, unpackFiles } from "@mbs/artifacts";
import type { Score } from "@mbs/artifacts";
import { UsageError } from "@mbs/contracts";
import type { ArtifactStream } from "@mbs/contracts";
import { openModel } from "@mbs/models";
import { writeTinyModel } from "@mbs/models/testing";
import { assemble, formatSizeReport, sizeReport } from "../src/index.ts";
import { caseLayers, formatCases, quietContext } from "./fixtures/quantised-model.ts";

const root = await mkdtemp(join(tmpdir(), "card-test-"));
test.after(() => rm(root, { recursive: true }));

const address = "c".repeat(64);
const score = (model: string, language: string, window: number, nll: number): Score => ({
  model,
  address,
  language,
  source: "news",
  window,
  nll,
  tokens: 100,
  bytes: 300,
});
const scores = (): ArtifactStream =>
  encodeScores(
    [score("dense", "sw", 0, 200), score("dense", "sw", 1, 220), score("dense", "en", 0, 150), score("small", "sw", 0, 230)],
    { corpus: address, length: 128, bos: "on", shares: undefined, models: undefined },
  );

/** Writes a folder from a model that lies in a Hub cache. */
async function write(name: string, options: object, given: ArtifactStream[] = []): Promise<string> {
  const source = join(root, name, "models--org--tiny", "snapshots", "a".repeat(40));
  await mkdir(source, { recursive: true });
  await writeTinyModel(source, { seed: 5, hiddenSize: 64 });
  await writeFile(join(source, "README.md"), '---\nlanguage: en\nlicense: "bigscience-bloom-rail-1.0"\n---\n# The source\n');
  const model = await openModel(source);
  const output = join(root, name, "output");
  const layers = [caseLayers(model, formatCases[0])];
  const { files } = await assemble.run({ layers, scores: given }, { model: source, ...options }, quietContext);
  await unpackFiles(files, output, { force: false });
  await model.close();
  return output;
}

test("the card names base model, licence, languages, method, mix, results and addresses", async () => {
  const folder = await write("full", { format: "gptq" }, [scores()]);
  const card = await readFile(join(folder, "README.md"), "utf8");
  const head = card.split("---\n")[1];
  assert.is(
    head,
    [
      'language:\n- "en"',
      'license: "bigscience-bloom-rail-1.0"',
      'base_model: "org/tiny"',
      "base_model_relation: quantized",
      "library_name: transformers",
      "pipeline_tag: text-generation",
      'tags:\n- "multilingual-brain-surgeon"\n- "rtn"\n- "4-bit"\n- "gptq"\n',
    ].join("\n"),
  );
  // exp(420 / 200), exp(1.5) and exp(2.3)
  for (const line of [
    "# tiny, compressed",
    "| en | 100.00% |",
    "| language | dense | small |",
    "| sw | 8.17 | 9.97 |",
    "| en | 4.48 | – |",
    `Corpora: \`${address}\`.`,
  ]) {
    assert.ok(card.split("\n").includes(line), `${line}\n${card}`);
  }
  const record = JSON.parse(await readFile(join(folder, "mbs.json"), "utf8")) as { model: string; layers: { address: string }[] };
  assert.ok(card.includes(`\`${record.model}\``) && card.includes(`\`${record.layers[0].address}\``));
  assert.not(card.includes("The source"), "the source's own card is not carried");
});

test("--base-model names what neither path nor configuration does, and --no-card leaves the card out", async () => {
  const named = await readFile(join(await write("named", { baseModel: "other/name" }), "README.md"), "utf8");
  assert.match(named, 'base_model: "other/name"\n');
  const folder = await write("without", { card: false });
  assert.is(await readFile(join(folder, "README.md"), "utf8").catch(() => "none"), "none");
  try {
    await write("pointless", { card: false }, [scores()]);
    assert.unreachable();
  } catch (error) {
    assert.instance(error, UsageError);
  }
});

test("sizes count scales and indices, and say what is an estimate", async () => {
  const report = await sizeReport(await write("sizes", { format: "gptq" }));
  // A layer of [rows, columns] has 4 bits a code, and for every 32 columns a scale of 16 bits and a zero of 4; g_idx has
  // 32 bits a column: over the rows 192, 64, 256 and 64 of the four layers.
  const [rows, columns] = [
    [192, 64, 256, 64],
    [64, 64, 64, 256],
  ];
  const weights = rows.reduce((sum, count, index) => sum + count * columns[index], 0);
  const bits = rows.reduce((sum, count, index) => sum + count * columns[index] * (4 + 20 / 32) + columns[index] * 32, 0);
  assert.is(report.format, "gptq");
  assert.ok(Math.abs((report.bitsACompressedWeight ?? 0) - bits / weights) < 1e-9, String(report.bitsACompressedWeight));
  assert.ok(report.ratio > 1.5 && report.ratio < 3.5 && report.estimatedSpeed >= report.ratio * 0.9, JSON.stringify(report));
  assert.match(formatSizeReport(report), /^gptq: [\d.]+ kB on disk, [\d.]+ kB dense: [\d.]+ times smaller\n/);
  assert.match(formatSizeReport(report), "an estimate from the bytes that a token reads, not measured\n");
  const dense = await sizeReport(await write("dense", {}));
  assert.equal([dense.format, dense.ratio, dense.estimatedSpeed], ["dense", 1, 1]);
});

test.run();
