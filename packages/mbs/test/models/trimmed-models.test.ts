import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { collectScores, openArtifact, parseMetadata, unpackFiles, writeArtifact } from "@mbs/artifacts";
import { FailedPreconditionError } from "@mbs/contracts";
import { readScoredModels, scoresReport } from "@mbs/evaluation";
import type { ScoresReport } from "@mbs/evaluation";
import { openModel } from "@mbs/models";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { contextOf, runStage, segmentsFor } from "../fixtures/stage-runs.ts";

const repository = fileURLToPath(new URL("../../../../", import.meta.url));
const model = join(repository, "datasets/controlled-llama");

const root = await mkdtemp(join(tmpdir(), "trimmed-models-"));
test.after(() => rm(root, { recursive: true }));

/** Texts of three languages, the first controlled ones. */
async function writeTexts(): Promise<string> {
  const folder = join(root, "texts");
  await mkdir(folder);
  for (const language of ["en", "de", "ta"]) {
    const file = await readFile(join(repository, `datasets/controlled-texts/heldout/${language}.jsonl`), "utf8");
    await writeFile(join(folder, `${language}.jsonl`), `${file.split("\n", 4).join("\n")}\n`);
  }
  return folder;
}

const corpus = await writeTexts();

async function trimInto(name: string, options: object): Promise<string> {
  const folder = join(root, name);
  await unpackFiles(await runStage("trim", {}, { model, corpus, ...options }), folder, {});
  return folder;
}

const trimmed = await trimInto("trimmed", { keep: ["en", "de"] });

interface Evaluated {
  readonly report: ScoresReport;
  readonly warnings: readonly string[];
  readonly about: ReturnType<typeof readScoredModels>;
}

/** @param chosen the languages that are scored: all, if not given */
async function evaluate(
  models: readonly string[],
  labels: readonly string[],
  chosen: { readonly languages?: readonly string[] } = { languages: ["de", "en", "ta"] },
): Promise<Evaluated> {
  const warnings: string[] = [];
  const options = { model: models, labels, corpus, length: 64, windows: 4, ...chosen };
  const stream = await runStage(
    "evaluate",
    {},
    options,
    contextOf((line) => warnings.push(line)),
  );
  const about = readScoredModels(parseMetadata("scores", stream.schema).models);
  const { windows } = await collectScores(stream);
  return { report: scoresReport(windows, { models: about }), warnings, about };
}

test("the source is restricted to the rows of the trimmed model, and both are then the same", async () => {
  const { report, warnings } = await evaluate([model, trimmed], ["dense", "trimmed"]);
  const { vocabularySize: rows } = await openModel(trimmed);
  assert.ok(warnings.includes(`dense: restricted to the ${rows} of 4096 rows that trimmed has, so that they can be compared`));
  assert.ok(report.notes.some((note) => note.startsWith(`dense (${rows} of 4096 rows): restricted to the rows of trimmed (`)));
  assert.equal(
    report.pairs.map(({ language }) => language),
    ["de", "en", "ta"],
  );
  // the same weights and tokens: ONNX Runtime may only add in another order
  for (const { language, rise } of report.pairs) assert.ok(Math.abs(rise) < 1e-5, `${language} rises by ${rise}`);
  for (const { kl } of report.distances) assert.ok(kl < 1e-6);
});

test("last states of the whole vocabulary are refused where the source is restricted", async () => {
  const texts = { corpus, length: 64, windows: 4, languages: ["en"] };
  const lastStates = [await runStage("last-states", {}, { model, ...texts })];
  const evaluated = runStage("evaluate", { lastStates }, { model: [model, trimmed], labels: ["dense", "trimmed"], ...texts });
  const error = await evaluated.catch((reason: unknown) => reason);
  assert.instance(error, FailedPreconditionError);
  assert.match(
    String(error),
    /dense is restricted to the rows of a trimmed model here, and its last states are of all its tokens; leave out --last-states$/,
  );
});

const resultOf = ({ report }: Evaluated, language: string) => report.results.find((result) => result.language === language);

test("alone, a trimmed model has a lower perplexity than over all rows, and the report warns of it", async () => {
  const [alone, whole] = [await evaluate([trimmed], ["trimmed"], {}), await evaluate([model], ["dense"])];
  const [own, all] = [resultOf(alone, "en"), resultOf(whole, "en")];
  assert.is(own?.tokens, all?.tokens);
  assert.ok((own?.perplexity ?? Infinity) < (all?.perplexity ?? 0));
  assert.equal([...new Set(alone.report.results.map(({ language }) => language))].sort(), ["de", "en"]);
  assert.is(alone.warnings.filter((line) => line.endsWith("the model was trimmed for; name others by --languages")).length, 1);
  assert.ok(alone.report.notes.some((note) => /^trimmed \(\d+ of 4096 rows\): trimmed; not to be compared/.test(note)));
  assert.not(whole.report.notes.some((note) => note.includes("restricted") || note.includes("trimmed")));
});

test("models trimmed to different vocabularies have no common source to be compared with", async () => {
  const other = await trimInto("other", { keep: ["ta"] });
  const error = await evaluate([model, trimmed, other], ["dense", "first", "second"]).catch((reason: unknown) => reason);
  assert.instance(error, FailedPreconditionError);
  assert.match(String(error), /first and second are trimmed to different vocabularies, and dense can be restricted to one only/);
  const both = await evaluate([trimmed, other], ["first", "second"]);
  assert.ok(both.warnings.some((line) => line.includes("second: no KL divergence from first, since its vocabulary has")));
});

test("what is made of a trimmed model, in every format, is compared with the source as the trimmed one is", async () => {
  const opened = await openModel(trimmed);
  const segments = segmentsFor(opened);
  await opened.close();
  const statistics = await runStage("capture", { source: [segments] }, { model: trimmed });
  const factors = await runStage("factor", { statistics: [statistics] }, {});
  const compressed = await runStage(
    "compress",
    { factors: [factors] },
    { model: trimmed, solver: "rtn", bits: 8, groupSize: 64 },
  );
  const layers = join(root, "layers.arrow");
  await writeArtifact(compressed, layers, {});
  const rows = new Set<number>();
  for (const format of ["dense", "gptq-v2", "compressed-tensors", "gguf", "onnx"]) {
    const folder = join(root, format);
    const options = { model: trimmed, format, ...(format === "gguf" && { type: "Q8_0" }) };
    const files = await runStage("assemble", { layers: [await openArtifact(layers)] }, options);
    await unpackFiles(files, folder, {});
    const written = await openModel(folder);
    rows.add(written.vocabularySize);
    assert.equal(written.trimming, opened.trimming);
    await written.close();
    const { report } = await evaluate([model, folder], ["source", format]);
    assert.is(report.distances.length, 3, format);
    const english = report.pairs.find(({ language }) => language === "en");
    // 8 bits change little; against the whole vocabulary the trimmed one would gain far more
    assert.ok(Math.abs(english?.rise ?? 1) < 0.01, `${format} rises by ${english?.rise}`);
  }
  assert.is(rows.size, 1);
});

/** Writes a model as a GGUF file of its own values. */
async function writeGguf(source: string, name: string): Promise<string> {
  const folder = join(root, name);
  const options = { model: source, format: "gguf", type: "F16", withoutLayers: true };
  await unpackFiles(await runStage("assemble", { layers: [] }, options), folder, {});
  return folder;
}

test("GGUF files of both and the folders of both are compared on the same rows and tokens, whichever is first", async () => {
  const [whole, small] = [await writeGguf(model, "whole-gguf"), await writeGguf(trimmed, "trimmed-gguf")];
  const { report, warnings } = await evaluate([whole, trimmed, small, model], ["whole", "folder", "file", "dense"]);
  assert.equal(
    warnings.filter((line) => line.includes("restricted to the")).map((line) => line.split(":", 1)[0]),
    ["whole", "dense"],
  );
  assert.not(warnings.some((line) => line.includes("no KL divergence")));
  assert.is(report.distances.length, 9);
  // as above: the same weights and tokens
  for (const { kl } of report.distances) assert.ok(kl < 1e-6);
  for (const { rise } of report.pairs) assert.ok(Math.abs(rise) < 1e-5);
});

test("a GGUF file beside the folder that it was made of has its KL divergence, and says how it was made", async () => {
  const file = join(root, "gguf");
  const { report, warnings, about } = await evaluate([trimmed, file], ["dense", "file"]);
  assert.not(warnings.some((line) => line.includes("no KL divergence")));
  assert.is(report.distances.length, 3);
  for (const { kl } of report.distances) assert.ok(kl > 0);
  assert.equal([about.get("file")?.made?.format, about.get("dense")?.made], ["gguf", undefined]);
});

test.run();
