import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { BadDataError, FailedPreconditionError, at } from "@mbs/contracts";
import { openModel } from "@mbs/models";
import type { Tokenizer } from "@mbs/models";
import { writeTinyModel } from "@mbs/models/testing";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { processorSeconds } from "../../../../tools/test/processor-seconds.ts";
import { encodeTexts } from "../../src/index.ts";

interface Golden {
  readonly tokenizer: string;
  readonly config: object;
  readonly texts: readonly { context: string; continuation: string; tokens: number[]; predicted: number }[];
}

const root = new URL("../../../../", import.meta.url);
const golden = JSON.parse(await readFile(new URL("encodings.golden.json", import.meta.url), "utf8")) as readonly Golden[];
const folder = await mkdtemp(join(tmpdir(), "encode-texts-"));
await writeTinyModel(folder);
test.after(() => rm(folder, { recursive: true }));

/** The tokenizer of a folder, with a configuration of its own. */
async function open(tokenizer: string, config: object): Promise<Tokenizer> {
  await cp(fileURLToPath(new URL(`${tokenizer}/tokenizer.json`, root)), join(folder, "tokenizer.json"));
  await writeFile(join(folder, "tokenizer_config.json"), JSON.stringify(config));
  const model = await openModel(folder);
  const made = await model.tokenizer();
  await model.close();
  return made;
}

const named = (pairs: readonly (readonly [string, string])[]) =>
  pairs.map(([context, continuation], index) => ({ name: `text ${index}`, context, continuation }));

const wide = { contextLength: 1024, longTexts: "refuse" } as const;

for (const { tokenizer, config, texts } of golden) {
  test(`texts are split as lm-evaluation-harness splits them: ${tokenizer}`, async () => {
    const own = await open(tokenizer, config);
    const given = texts.map(({ context, continuation }) => ({ name: "text", context, continuation }));
    for (const [index, { tokens, predicted }] of encodeTexts(given, own, wide).entries()) {
      const { tokens: expected, predicted: count, context } = at(texts, index);
      assert.equal([...tokens], expected, JSON.stringify(context));
      assert.is(predicted, count, JSON.stringify(context));
    }
  });
}

test("of a text that is too long the end is kept, or it is refused", async () => {
  const tokenizer = await open("datasets/controlled-bloom", { bos_token: "<s>" });
  const texts = named([["one two three four five six seven eight nine ten", " eleven"]]);
  const [whole] = encodeTexts(texts, tokenizer, wide);
  assert.ok(whole !== undefined && whole.tokens.length > 8);
  const [cut] = encodeTexts(texts, tokenizer, { contextLength: 7, longTexts: "cut" });
  assert.ok(cut !== undefined);
  assert.equal([...cut.tokens], [...whole.tokens.subarray(-8)]);
  assert.is(cut.cut, whole.tokens.length - 8);
  assert.is(cut.predicted, whole.predicted);
  assert.throws(
    () => encodeTexts(texts, tokenizer, { contextLength: 7, longTexts: "refuse" }),
    (error: unknown) => error instanceof BadDataError && /text 0: the text has/.test(error.message),
  );
});

test("a continuation without a token, or longer than the model reads, is refused", async () => {
  const tokenizer = await open("datasets/controlled-bloom", { bos_token: "<s>" });
  for (const [pair, options] of [
    [["a", ""], wide],
    [["", ""], wide],
    [["a", " one two three four five"], { contextLength: 2, longTexts: "cut" }],
  ] as const) {
    assert.throws(
      () => encodeTexts(named([pair]), tokenizer, options),
      (error: unknown) => error instanceof BadDataError && error.message.startsWith("text 0: the continuation"),
    );
  }
});

test("white space alone is no context", async () => {
  const tokenizer = await open("datasets/controlled-bloom", { bos_token: "<s>" });
  const [spaces, none] = encodeTexts(
    named([
      [" \n", "word"],
      ["", " \nword"],
    ]),
    tokenizer,
    wide,
  );
  assert.equal(spaces?.tokens, none?.tokens);
  assert.is(spaces?.predicted, none?.predicted);
});

test("a long run of white space in a context takes no time", async () => {
  const tokenizer = await open("datasets/controlled-bloom", { bos_token: "<s>" });
  const encoder: Tokenizer = { ...tokenizer, encode: (text) => new Int32Array(text.length) };
  const contexts = named([[`a${" ".repeat(500_000)}b`, " word"]]);
  const seconds = await processorSeconds(() => encodeTexts(contexts, encoder, { ...wide, contextLength: 1 << 20 }));
  // milliseconds where each space is looked at once, minutes where the rest of the run is for each
  assert.ok(seconds < 20, `${seconds} s`);
});

test("a text without a context needs a token to be predicted from", async () => {
  const tokenizer = await open("datasets/controlled-bloom", {});
  assert.throws(
    () => encodeTexts(named([["", "word"]]), tokenizer, wide),
    (error: unknown) => error instanceof FailedPreconditionError && /names no bos_token or eos_token/.test(error.message),
  );
});

test.run();
