import { fileURLToPath } from "node:url";
import { openModel } from "@mbs/models";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { nearestTexts } from "../src/embeddings/agreement.ts";
import { embedTexts } from "../src/embeddings/embed-texts.ts";
import { pool } from "../src/embeddings/pooling.ts";

const fixture = (name: string): string => fileURLToPath(new URL(`../../models/test/fixtures/encoders/${name}`, import.meta.url));

test("an embedding has length 1, by the mean or the first state; zeros stay zeros", () => {
  const states = { rows: 2, columns: 2, values: Float32Array.of(3, 4, 3, -4) };
  assert.equal([...pool(states, "mean")], [1, 0]);
  assert.equal([...pool(states, "first")], [0.6, 0.8]);
  assert.equal([...pool({ rows: 1, columns: 2, values: new Float32Array(2) }, "mean")], [0, 0]);
});

test("the nearest texts are those of the largest cosine, without the text itself, equal ones by their order", () => {
  const vectors = [
    [1, 0],
    [0.6, 0.8],
    [0.8, 0.6],
    [0.6, 0.8],
    [-1, 0],
  ].map((vector) => Float64Array.from(vector));
  assert.equal(
    nearestTexts(vectors, 2).map((own) => [...own]),
    [
      [2, 1],
      [3, 2],
      [1, 3],
      [1, 2],
      [1, 3],
    ],
  );
});

test("texts are embedded in their order, and cut", async () => {
  const model = await openModel(fixture("xlm-roberta-f32"));
  const texts = ["the und la на और abc abc", "de", "the und la на"].map((text, number) => ({ language: "en", number, text }));
  const embed = (length: number, own = texts) =>
    embedTexts(model, own, { length, threads: 1, signal: new AbortController().signal, progress: () => {} });
  const all = await embed(100);
  for (const [index, text] of texts.entries()) assert.equal((await embed(100, [text]))[0], all[index]);
  assert.not.equal(all[0], all[2]);
  // four tokens are what the texts have in common
  const [first, , last] = await embed(4);
  assert.equal(first, last);
  await model.close();
});

test.run();
