import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openModel } from "@mbs/models";
import { recipeFrom, run } from "@mbs/pipeline";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { loadStages } from "../src/stages.ts";

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
    const [source, written] = [await openModel(model), await openModel(folder.model)];
    const weights = source.blocks.flatMap(({ sites }) => sites.flatMap((site) => site.weights.map(({ tensor }) => tensor)));
    // 6 layers in each of 2 blocks
    assert.is(weights.length, 12);
    for (const { name } of source.checkpoint.list()) {
      const [before, after] = [await source.readWeight(name), await written.readWeight(name)];
      if (weights.includes(name)) assert.not.equal(after, before, name);
      else assert.equal(after, before, name);
    }
    await source.close();
    await written.close();
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

test.run();
