import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { AgreementReport } from "@mbs/evaluation";
import { openModel } from "@mbs/models";
import { recipeFrom, run } from "@mbs/pipeline";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { agreementTable } from "../src/results/agreement-table.ts";
import { loadStages } from "../src/stages.ts";
import { runMbs } from "./fixtures/run-mbs.ts";
import { requireOnlyLayersChanged } from "./fixtures/changed-layers.ts";

const model = fileURLToPath(new URL("../../models/test/fixtures/encoders/xlm-roberta-f32", import.meta.url));
const root = await mkdtemp(join(tmpdir(), "mbs-encoders-"));
test.after(() => rm(root, { recursive: true }));
const stages = await loadStages();

/** Words of letters that the tiny tokenizer knows. */
const letters: Readonly<Record<string, string>> = {
  en: "abcdefghijklmnopqrstuvwxyz",
  ru: "абвгдежзиклмнопрстуя",
  hi: "कखगतनपमरलसहाि",
};
const textOf = (alphabet: string, length: number, seed: number): string =>
  Array.from({ length }, (_, at) =>
    at % 6 === 5 ? " " : alphabet[(at * at * 3 + at * seed + (at >> 3)) % alphabet.length],
  ).join("");

const corpus = join(root, "texts");
await mkdir(corpus);
for (const [language, alphabet] of Object.entries(letters)) {
  const lines = Array.from({ length: 40 }, (_, line) => JSON.stringify({ text: textOf(alphabet, 60 + line, 3 * line + 1) }));
  await writeFile(join(corpus, `${language}.jsonl`), lines.join("\n"));
}

const runAll = (output: string, change: object = {}) =>
  run(
    recipeFrom({
      model,
      corpus,
      sample: { segments: 12, length: 50, mix: "equal" },
      compress: { solver: "gptq", bits: 4, groupSize: 16 },
      output: join(root, output),
      ...change,
    }),
    { stages, threads: 1, signal: new AbortController().signal },
  );

for (const propagation of ["dense", "sequential", "true-sequential"]) {
  test(`an encoder is compressed whole, ${propagation}: its layers change, and nothing else`, async () => {
    const { folder } = await runAll(propagation, { propagation });
    // 6 layers in each of 2 blocks
    await requireOnlyLayersChanged(model, folder.model, 12);
  });
}

for (const compress of [
  { solver: "rtn", bits: 8, groupSize: 16 },
  { solver: "awq", bits: 4, groupSize: 16 },
  { solver: "wanda", sparsity: 0.5 },
]) {
  test(`${compress.solver} compresses an encoder`, async () => {
    const { folder } = await runAll(compress.solver, { compress });
    const written = await openModel(folder.model);
    assert.is(written.stacks, "encoder");
    await written.close();
  });
}

const refused: readonly [string, object, RegExp][] = [
  ["losses", { evaluate: { corpus, length: 40, windows: 6 } }, /is an encoder, which predicts no tokens and has no losses/],
  [
    "codes of embedding and head",
    { compress: { solver: "gptq", bits: 4, groupSize: 16, embeddings: 8 } },
    /of an ONNX model, an encoder or an encoder-decoder are not compressed/,
  ],
];
for (const [what, change, message] of refused) {
  test(`${what} of an encoder are refused`, async () => {
    const error: unknown = await runAll(`refused ${what}`, change).catch((raised: unknown) => raised);
    assert.match(String(error), message);
  });
}

const agree = (texts: number, ...models: string[]) =>
  runMbs(["agreement", ...models.flatMap((name) => ["--model", name]), "--corpus", corpus, "--texts", String(texts), "--json"]);

test("mbs agreement: a model agrees with itself, 8 bits agree more than 2, by language", async () => {
  const folders = await Promise.all(
    [8, 2].map(async (bits) => (await runAll(`bits-${bits}`, { compress: { solver: "rtn", bits, groupSize: 16 } })).folder.model),
  );
  const { code, stdout, stderr } = await agree(12, model, model, ...folders);
  assert.is(code, 0, stderr);
  const report = JSON.parse(stdout.toString()) as AgreementReport;
  assert.equal(
    report.models.map(({ languages }) => languages.map(({ language, texts }) => `${language} ${texts}`)),
    Array.from({ length: 3 }, () => ["en 12", "hi 12", "ru 12"]),
  );
  const [same, eight, two] = report.models.map(({ languages }) => languages);
  for (const index of [0, 1, 2]) {
    const [own, fine, coarse] = [same?.[index], eight?.[index], two?.[index]];
    // of one model the same numbers come out: cosines are 1 but for the last bit
    assert.ok(Math.abs((own?.leastCosine ?? 0) - 1) < 1e-12);
    assert.is(own?.keptNeighbours, 1);
    assert.ok((fine?.cosine ?? 0) > 0.999 && (fine?.leastCosine ?? 0) <= (fine?.cosine ?? 0));
    assert.ok((coarse?.cosine ?? 1) < (fine?.cosine ?? 0));
    assert.ok((coarse?.keptNeighbours ?? 1) <= (fine?.keptNeighbours ?? 0));
  }
  assert.ok((two?.[0]?.keptNeighbours ?? 1) < 1);
  const table = agreementTable(report);
  assert.match(table, /^language +texts +cosine +least +neighbours kept$/m);
  assert.match(table, /^en +12 +1\.0000 +1\.0000 +100%$/m);
  for (const line of table.split("\n").filter((line) => !line.endsWith(":"))) assert.ok(line.length <= 80, line);
});

for (const [what, options, least] of [
  // rounded weights are the same in both, apart from the last bit
  ["4 bits", {}, 1 - 1e-6],
  ["4 bits with a table of tokens in 8", { embeddings: "int8" }, 0.999],
] as const) {
  test(`a written ONNX folder is read and compared: ${what}`, async () => {
    const dense = await runAll("for onnx, dense");
    const { folder } = await runAll(`as onnx ${what}`, { assemble: { format: "onnx", ...options } });
    const { code, stdout, stderr } = await agree(12, dense.folder.model, folder.model);
    assert.is(code, 0, stderr);
    const [onnx] = (JSON.parse(stdout.toString()) as AgreementReport).models;
    for (const { leastCosine } of onnx?.languages ?? []) {
      assert.ok(leastCosine > least && (what === "4 bits" || leastCosine < 1 - 1e-9), `${leastCosine}`);
    }
    assert.is(onnx?.languages.length, 3);
  });
}

test("a trimmed encoder has the embeddings of its source in the languages that were kept", async () => {
  const trimmed = join(root, "trimmed");
  const made = await runMbs([
    "trim",
    "--model",
    model,
    "--corpus",
    corpus,
    "--keep",
    "en",
    "--multiple",
    "1",
    "--output",
    trimmed,
  ]);
  assert.is(made.code, 0, made.stderr);
  const [source, own] = [await openModel(model), await openModel(trimmed)];
  assert.ok(own.vocabularySize < source.vocabularySize);
  await source.close();
  await own.close();
  const { code, stdout, stderr } = await agree(30, model, trimmed);
  assert.is(code, 0, stderr);
  assert.match(stderr, /takes en of corpus/);
  const [languages] = (JSON.parse(stdout.toString()) as AgreementReport).models.map((one) => one.languages);
  assert.equal(
    languages?.map(({ language }) => language),
    ["en"],
  );
  // rows are copied, so the same numbers come out
  assert.ok(Math.abs((languages?.[0]?.leastCosine ?? 0) - 1) < 1e-12);
});

test("mbs agreement is for two encoders or more, and texts enough", async () => {
  const decoder = fileURLToPath(new URL("../../models/test/fixtures/forward/gpt2-f32", import.meta.url));
  const few = ["agreement", "--model", model, "--model", model, "--corpus", corpus, "--texts", "3"];
  for (const [line, message] of [
    [["agreement", "--model", model, "--corpus", corpus], /give --model twice or more/],
    [["agreement", "--model", model, "--model", decoder, "--corpus", corpus], /is a decoder, which makes no embeddings of texts/],
    [few, /has 9 texts in these languages, .* give at least 20/],
    [[...few, "--length", "400"], /--length 400 is beyond the 316 positions/],
  ] as const) {
    const { code, stderr } = await runMbs(line);
    assert.not.equal(code, 0);
    assert.match(stderr, message);
  }
});

test.run();
