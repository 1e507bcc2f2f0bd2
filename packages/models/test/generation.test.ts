import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { at, InterruptedError, UsageError } from "@mbs/contracts";
import { fileURLToPath } from "node:url";
import { generate, openModel, rowsAt, runBlocks } from "@mbs/models";
import type { Model } from "@mbs/models";
import { writeTinyModel } from "@mbs/models/testing";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { generateTokens } from "../src/forward/generation.ts";

test("a signal ends a continuation between two tokens", async () => {
  const folder = await mkdtemp(join(tmpdir(), "generation-"));
  await writeTinyModel(folder);
  const model = await openModel(folder);
  const stopping = new AbortController();
  try {
    assert.ok((await generate(model, "abc", 3, { threads: 1, signal: stopping.signal })).length > 0);
    stopping.abort();
    const error = await generate(model, "abc", 3, { threads: 1, signal: stopping.signal }).catch((thrown: unknown) => thrown);
    assert.instance(error, InterruptedError);
  } finally {
    await model.close();
    await rm(folder, { recursive: true });
  }
});

/** The most probable tokens behind a text, which is read again for each of them. */
async function plainly(model: Model, text: string, tokens: number): Promise<string> {
  const tokenizer = await model.tokenizer();
  const forward = await model.forward({ threads: 1 });
  const ids = [...(tokenizer.bos === undefined ? [] : [tokenizer.bos]), ...tokenizer.encode(text)];
  const given = ids.length;
  while (ids.length < given + tokens) {
    const states = await runBlocks(model, forward, new Map([["hidden", Int32Array.from(ids)]]));
    const { values } = await forward.logits(rowsAt(states, [states.rows - 1]));
    ids.push(values.indexOf(values.reduce((most, value) => Math.max(most, value), -Infinity)));
  }
  await forward.close();
  return tokenizer.decode(ids.slice(given));
}

test("a continuation is that of the text read as a whole for each token", async () => {
  for (const [folder, text] of [
    ["../../../datasets/controlled-llama", "The window shows"],
    // without a cache: its blocks read tokens one after the other
    ["fixtures/forward/qwen3-5-f32", "ABCABC"],
  ] as const) {
    const model = await openModel(fileURLToPath(new URL(folder, import.meta.url)));
    try {
      const made = await generate(model, text, 24, { threads: 1 });
      assert.is(made, await plainly(model, text, 24));
    } finally {
      await model.close();
    }
  }
});

interface Translations {
  readonly targetLanguage: string;
  readonly pairs: readonly { readonly language: string; readonly source: string; readonly generated: readonly number[] }[];
}

const fixture = (name: string): string => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));

for (const name of ["nllb", "mbart-50", "mbart-25"]) {
  test(`${name}: translations are those of transformers, token by token`, async () => {
    const golden = JSON.parse(await readFile(join(fixture(name), "golden.json"), "utf8")) as Translations;
    const model = await openModel(fixture(name));
    try {
      for (const { language, source, generated } of golden.pairs) {
        const languages = { source: language, target: golden.targetLanguage };
        assert.equal(await generateTokens(model, source, generated.length, { threads: 1, languages }), generated, source);
      }
      const { source, generated } = at(golden.pairs, 0);
      const languages = { source: "en", target: golden.targetLanguage };
      const made = await generate(model, source, generated.length, { threads: 1, languages });
      assert.is(made, (await model.tokenizer()).decode([...generated]));
      const refused = async (own: object): Promise<string> =>
        generate(model, source, 3, { threads: 1, ...own }).then(
          () => "nothing",
          (error: unknown) => String(error),
        );
      assert.match(await refused({}), /cannot answer a text alone; name both with --source-language and --target-language/);
      assert.match(await refused({ languages: { source: "sr-Latn", target: "de" } }), /has no token of the language sr-Latn/);
    } finally {
      await model.close();
    }
  });
}

test("languages are refused by a model that reads none", async () => {
  const model = await openModel(fixture("forward/mt5-f32"));
  const languages = { source: "en", target: "de" };
  const error: unknown = await generate(model, "a", 3, { threads: 1, languages }).catch((thrown: unknown) => thrown);
  assert.instance(error, UsageError);
  assert.match(String(error), /reads no languages; leave out --source-language and --target-language/);
  await model.close();
});

for (const [name, text, languages, message] of [
  ["mbart-50", "", { source: "en", target: "hi" }, /the text has no token to translate/],
  [
    "../../../../datasets/controlled-llama",
    "ab ".repeat(2000),
    undefined,
    /the text has \d+ tokens, which fill the \d+ that the model reads/,
  ],
] as const) {
  test(`a text that leaves nothing to write is refused: ${name}`, async () => {
    const model = await openModel(fixture(name));
    const given = { threads: 1, ...(languages && { languages }) };
    const error: unknown = await generate(model, text, 3, given).catch((thrown: unknown) => thrown);
    assert.instance(error, UsageError);
    assert.match(String(error), message);
    await model.close();
  });
}

test.run();
