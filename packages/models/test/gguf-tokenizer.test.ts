import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { BadDataError, FailedPreconditionError } from "@mbs/contracts";
import { tokenizerFromGguf } from "../src/gguf/gguf-tokenizer.ts";
import { preTokenizerNames } from "../src/gguf/tokenizer/pre-tokenizers.ts";
import { makeTokenizer } from "../src/tokenizer/tokenizer.ts";
import type { Tokenizer } from "../src/tokenizer/tokenizer.ts";

type Metadata = Readonly<Record<string, unknown>>;

interface Fixture {
  readonly metadata: Metadata;
  readonly lines: readonly { readonly text: string; readonly ids: readonly number[] }[];
}

const folder = new URL("fixtures/gguf-tokenizers/", import.meta.url);
const read = async (name: string): Promise<Fixture> =>
  JSON.parse(await readFile(fileURLToPath(new URL(`${name}.json`, folder)), "utf8")) as Fixture;

const fixtures = {
  "byte-level": await read("byte-level"),
  "sentencepiece-bpe": await read("sentencepiece-bpe"),
  unigram: await read("unigram"),
};
const file = "model.gguf";
const key = (name: string): string => `tokenizer.ggml.${name}`;

function open(metadata: Metadata): Tokenizer {
  const { tokenizer, config } = tokenizerFromGguf(new Map(Object.entries(metadata)), file);
  return makeTokenizer(file, tokenizer, config);
}

for (const [name, { metadata, lines }] of Object.entries(fixtures)) {
  test(`${name}: the tokens are those of the reference`, () => {
    const tokenizer = open(metadata);
    for (const { text, ids } of lines) assert.equal([...tokenizer.encode(text)], ids, JSON.stringify(text));
  });
}

test("texts come back, and tokens have their bytes", () => {
  for (const name of ["byte-level", "sentencepiece-bpe"] as const) {
    const tokenizer = open(fixtures[name].metadata);
    for (const text of ["The folder", " two  spaces", "खिडकी 窓", "emoji 👩‍👧 here", "     five", "<tag>x"]) {
      assert.is(tokenizer.decode(tokenizer.encode(text)), text);
      assert.is(tokenizer.byteLength(tokenizer.encode(text)), Buffer.byteLength(text), text);
    }
  }
});

test("special tokens and the chat template are those of the file", () => {
  const { metadata } = fixtures["byte-level"];
  const { config, tokenizer } = tokenizerFromGguf(new Map(Object.entries(metadata)), file);
  assert.is(config["bos_token"], "<|end|>");
  assert.is(config["eos_token"], "<|end|>");
  assert.is(config["chat_template"], "{{ messages }}");
  assert.is(tokenizer["post_processor"], null);
  assert.is(open(metadata).bos, undefined);
  assert.is(open({ ...metadata, "tokenizer.ggml.add_bos_token": true }).bos, metadata["tokenizer.ggml.bos_token_id"]);
  assert.is(open(fixtures["sentencepiece-bpe"].metadata).bos, 1);
});

test("the space before a text is put where the file says so, and by default", () => {
  const { metadata } = fixtures["sentencepiece-bpe"];
  const { "tokenizer.ggml.add_space_prefix": _none, ...silent } = metadata;
  const bare = open(metadata).encode("The folder");
  const prefixed = open(silent).encode("The folder");
  assert.equal([...prefixed], [...open(metadata).encode(" The folder")]);
  assert.not.equal([...bare], [...prefixed]);
});

test("T5's sentinels are in the rows after its tokens, the last first", () => {
  const { metadata } = fixtures.unigram;
  const tokens = metadata["tokenizer.ggml.tokens"] as string[];
  const first = tokens.findIndex((token) => token.startsWith("[PAD"));
  const { sentinels } = open(metadata);
  assert.is(sentinels.length, 100);
  assert.is(sentinels[0], first + 99);
  assert.is(sentinels[99], first);
  assert.equal(open({ ...metadata, "general.architecture": "bert" }).sentinels, []);
});

test("the table of characters goes into the tokenizer.json as it is", () => {
  const { metadata } = fixtures.unigram;
  const charsmap = [4, 0, 0, 0, 0, 0, 0, -128, 97, 0];
  for (const value of [charsmap, Int8Array.from(charsmap), Uint8Array.from(charsmap)]) {
    const changed = new Map(Object.entries({ ...metadata, "tokenizer.ggml.precompiled_charsmap": value }));
    const { normalizers } = tokenizerFromGguf(changed, file).tokenizer["normalizer"] as { normalizers: unknown[] };
    const base64 = Buffer.from(Uint8Array.from(charsmap)).toString("base64");
    assert.equal(normalizers[0], { type: "Precompiled", precompiled_charsmap: base64 });
  }
});

test("one score for all tokens ranks them by id", () => {
  const { metadata, lines } = fixtures["sentencepiece-bpe"];
  const scores = (metadata["tokenizer.ggml.scores"] as number[]).map(() => -1000);
  const tokenizer = open({ ...metadata, "tokenizer.ggml.scores": scores });
  for (const { text, ids } of lines.slice(0, 6)) assert.equal([...tokenizer.encode(text)], ids, text);
});

test("merges of the file are those that its scores make, in Gemma 4's kind", () => {
  const { metadata, lines } = fixtures["sentencepiece-bpe"];
  const { "tokenizer.ggml.scores": _none, ...unscored } = metadata;
  const { model } = tokenizerFromGguf(new Map(Object.entries(metadata)), file).tokenizer as {
    model: { vocab: Readonly<Record<string, number>>; merges: readonly (readonly [string, string])[] };
  };
  // its converter writes tokens as tokenizer.json has them
  const tokens = Object.entries(model.vocab)
    .sort(([, one], [, other]) => one - other)
    .map(([token]) => token);
  const gemma4 = {
    ...unscored,
    "tokenizer.ggml.model": "gemma4",
    "tokenizer.ggml.tokens": tokens,
    "tokenizer.ggml.bos_token_id": 1,
  };
  const tokenizer = open({ ...gemma4, "tokenizer.ggml.merges": model.merges.map((pair) => pair.join(" ")) });
  for (const { text, ids } of lines) assert.equal([...tokenizer.encode(text)], ids, JSON.stringify(text));
  assert.throws(() => open(gemma4), /tokenizer\.ggml\.merges is missing, which BPE needs/);
});

test("typed arrays and wide integers are read as lists and numbers are", () => {
  const { metadata, lines } = fixtures["sentencepiece-bpe"];
  const tokenizer = open({
    ...metadata,
    "tokenizer.ggml.scores": Float32Array.from(metadata["tokenizer.ggml.scores"] as number[]),
    "tokenizer.ggml.token_type": Int32Array.from(metadata["tokenizer.ggml.token_type"] as number[]),
    "tokenizer.ggml.unknown_token_id": 0n,
  });
  for (const { text, ids } of lines) assert.equal([...tokenizer.encode(text)], ids, text);
});

test("kinds and pre-tokenizers that are not read are refused by name", () => {
  const { metadata } = fixtures["byte-level"];
  const cases: [Metadata, RegExp][] = [
    [{ "tokenizer.ggml.model": "bert" }, /model\.gguf has a tokenizer of the kind "bert"; supported: gpt2 .*, llama .*, t5/],
    [{ "tokenizer.ggml.pre": "my-bpe" }, /has the pre-tokenizer "my-bpe".*supported: .*bloom, .*qwen2, .*tekken/],
    [{ "tokenizer.ggml.pre": "default" }, /has the pre-tokenizer "default"/],
    [{ "tokenizer.ggml.pre": undefined }, /names no pre-tokenizer \(tokenizer\.ggml\.pre\)/],
  ];
  for (const [change, message] of cases) {
    try {
      open({ ...metadata, ...change });
      assert.unreachable();
    } catch (error) {
      assert.instance(error, FailedPreconditionError);
      assert.match(String(error), message);
    }
  }
});

test("lists that contradict each other are refused with the key", () => {
  const byte = fixtures["byte-level"].metadata;
  const piece = fixtures["sentencepiece-bpe"].metadata;
  const tokens = byte[key("tokens")] as string[];
  const merges = byte[key("merges")] as string[];
  const scores = piece[key("scores")] as number[];
  const cases: [Metadata, Metadata, RegExp][] = [
    [byte, { [key("model")]: undefined }, /tokenizer\.ggml\.model is missing/],
    [byte, { [key("model")]: 5 }, /tokenizer\.ggml\.model is 5, not a string/],
    [byte, { [key("tokens")]: undefined }, /tokenizer\.ggml\.tokens is missing or empty/],
    [byte, { [key("tokens")]: [] }, /tokenizer\.ggml\.tokens is missing or empty/],
    [byte, { [key("tokens")]: "abc" }, /tokenizer\.ggml\.tokens is "abc", not a list of strings/],
    [
      byte,
      { [key("tokens")]: [...tokens.slice(0, 7), 7, ...tokens.slice(8)] },
      /tokenizer\.ggml\.tokens\[7\] is 7, not a string/,
    ],
    [byte, { [key("tokens")]: tokens.with(9, tokens[3] ?? "") }, /tokenizer\.ggml\.tokens\[9\] is .*, which is also the token 3/],
    [
      byte,
      { [key("tokens")]: tokens.slice(1) },
      /tokenizer\.ggml\.token_type has \d+ items, where tokenizer\.ggml\.tokens has \d+/,
    ],
    [byte, { [key("tokens")]: Array.from({ length: 4_000_001 }, () => "") }, /tokens has 4000001 items, more than the 4000000/],
    [byte, { [key("token_type")]: ["1"] }, /tokenizer\.ggml\.token_type is a list, not a list of numbers/],
    [byte, { [key("token_type")]: new BigInt64Array(tokens.length) }, /token_type is .*, not a list of numbers/],
    [byte, { [key("merges")]: undefined }, /tokenizer\.ggml\.merges is missing, which byte-level BPE needs/],
    [byte, { [key("merges")]: merges.with(2, "ab") }, /tokenizer\.ggml\.merges\[2\] is "ab", not two tokens/],
    [byte, { [key("merges")]: [...merges, "q Ġzz"] }, /merges\[\d+\] is "q Ġzz", which needs the token "Ġzz"/],
    [byte, { [key("bos_token_id")]: tokens.length }, /tokenizer\.ggml\.bos_token_id is \d+, not the id of one of \d+ tokens/],
    [byte, { [key("eos_token_id")]: -1 }, /tokenizer\.ggml\.eos_token_id is -1, not the id/],
    [byte, { [key("padding_token_id")]: 1.5 }, /tokenizer\.ggml\.padding_token_id is 1\.5, not the id/],
    [byte, { [key("add_bos_token")]: 1 }, /tokenizer\.ggml\.add_bos_token is 1, not true or false/],
    [
      byte,
      { [key("add_bos_token")]: true, [key("bos_token_id")]: undefined },
      /add_bos_token is true, but the file names no such/,
    ],
    [byte, { "tokenizer.chat_template": ["a"] }, /tokenizer\.chat_template is a list, not a string/],
    [piece, { [key("scores")]: undefined }, /tokenizer\.ggml\.scores is missing/],
    [piece, { [key("scores")]: scores.slice(2) }, /tokenizer\.ggml\.scores has \d+ items, where/],
    [piece, { [key("scores")]: scores.with(4, Number.NaN) }, /tokenizer\.ggml\.scores\[4\] is NaN, not a number/],
    [fixtures.unigram.metadata, { [key("precompiled_charsmap")]: [255, 0, 0, 0, 1] }, /precompiled_charsmap has 5 bytes/],
    [fixtures.unigram.metadata, { [key("unknown_token_id")]: 1e9 }, /unknown_token_id is 1000000000, not the id/],
  ];
  for (const [metadata, change, message] of cases) {
    try {
      open({ ...metadata, ...change });
      assert.unreachable(String(message));
    } catch (error) {
      assert.instance(error, BadDataError, String(error));
      assert.match(String(error), message);
      assert.match(String(error), /^BadDataError: model\.gguf: .*; take the file from its source again$/);
    }
  }
});

test("a token named __proto__ is a token", () => {
  const { metadata } = fixtures["byte-level"];
  const tokens = metadata["tokenizer.ggml.tokens"] as string[];
  const id = tokens.length - 1;
  const types = (metadata["tokenizer.ggml.token_type"] as number[]).with(id, 4);
  const tokenizer = open({
    ...metadata,
    "tokenizer.ggml.tokens": tokens.with(id, "__proto__"),
    "tokenizer.ggml.token_type": types,
  });
  assert.equal([...tokenizer.encode("__proto__")], [id]);
});

test("the document names every pre-tokenizer", async () => {
  const text = await readFile(fileURLToPath(new URL("../../../docs/architectures.md", import.meta.url)), "utf8");
  const [, list = ""] = /\nNames of `tokenizer\.ggml\.pre`[^\n]*\n\n((?:- [^\n]*\n)+)/.exec(text) ?? [];
  assert.equal(
    [...list.matchAll(/`([^`]+)`/g)].map(([, name]) => name),
    preTokenizerNames,
  );
});

test.run();
