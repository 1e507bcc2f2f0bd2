import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { BadDataError, FailedPreconditionError } from "@mbs/contracts";
import { tinyTokenizer } from "../src/tokenizer/tiny-tokenizer.ts";
import { loadTokenizer, makeHubTokenizer, makeTokenizer } from "../src/tokenizer/tokenizer.ts";

const json = tinyTokenizer() as Record<string, unknown>;
const folder = "/nowhere";

test("texts go to one token a byte and back, and have their bytes", async () => {
  const tokenizer = await loadTokenizer(folder, json);
  for (const text of ["plain", "é ñ", "नमस्ते", "日本語\n\n  x", "👩‍👩‍👧", " .  ' n't", "<s> is text"]) {
    const ids = tokenizer.encode(text);
    if (!text.includes("<s>"))
      assert.equal(
        [...ids],
        [...Buffer.from(text)].map((byte) => 4 + byte),
        text,
      );
    assert.is(tokenizer.byteLength(ids), Buffer.byteLength(text) - (text.includes("<s>") ? 3 : 0), text);
    assert.is(tokenizer.decode(ids), text.replace("<s>", ""), text);
  }
});

test("a token within a character counts its own bytes", async () => {
  const tokenizer = await loadTokenizer(folder, json);
  const ids = tokenizer.encode("日");
  assert.is(tokenizer.byteLength(ids.subarray(0, 1)), 1);
  assert.is(tokenizer.byteLength(ids.subarray(1)), 2);
});

test("the token before a text without one, and the one that ends it, are those that the configuration names", async () => {
  const plain = makeTokenizer("tokenizer.json", json, {});
  assert.equal([plain.prefix, plain.eos], [undefined, undefined]);
  const end = { eos_token: { content: "</s>" } };
  const ended = makeTokenizer("tokenizer.json", json, end);
  assert.equal(
    [ended.prefix, ended.eos],
    [
      { id: 2, text: "</s>" },
      { id: 2, text: "</s>" },
    ],
  );
  const both = makeTokenizer("tokenizer.json", json, { ...end, bos_token: "<s>" });
  assert.equal([both.prefix?.id, both.eos?.id], [1, 2]);
  assert.is(makeTokenizer("tokenizer.json", json, { bos_token: "<nothing>" }).prefix, undefined);
});

test("a token is put first only where the post-processor says so", async () => {
  const plain = await loadTokenizer(folder, json);
  assert.is(plain.bos, undefined);
  const template = {
    type: "TemplateProcessing",
    single: [{ SpecialToken: { id: "<s>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
    pair: [],
    special_tokens: { "<s>": { id: "<s>", ids: [1], tokens: ["<s>"] } },
  };
  const withBos = await loadTokenizer(folder, { ...json, post_processor: template });
  assert.is(withBos.bos, 1);
  assert.equal([...withBos.encode("a")], [4 + 97]);
});

const wordsOf = (individual: boolean): unknown => {
  const pre = { type: "Sequence", pretokenizers: [{ type: "Digits", individual_digits: individual }] };
  const { pre_tokenizer: preTokenizer } = makeHubTokenizer("tokenizer.json", { ...json, pre_tokenizer: pre }, {});
  return preTokenizer?.pre_tokenize("a12 ٣٤ ५½");
};

test("digits of every script are split as the reference splits them", () => {
  // tokenizers 0.23: Digits(individual_digits=True) and Digits()
  assert.equal(wordsOf(true), ["a", "1", "2", " ", "٣", "٤", " ", "५", "½"]);
  assert.equal(wordsOf(false), ["a", "12", " ", "٣٤", " ", "५½"]);
});

test("other tokenizers and unknown ids are refused", async () => {
  try {
    await loadTokenizer(folder, { ...json, decoder: { type: "WordPiece" } });
    assert.unreachable();
  } catch (error) {
    assert.instance(error, FailedPreconditionError);
    assert.match(String(error), "supported: byte-level BPE, and BPE or Unigram");
  }
  const tokenizer = await loadTokenizer(folder, json);
  assert.throws(() => tokenizer.byteLength([260]), /has no token 260/);
});

test("a vocabulary whose ids are no whole numbers is refused", async () => {
  for (const vocab of [undefined, null, [], {}, ["a"], { a: -1 }, { a: 1.5 }, { a: 2 ** 31 }, { a: "1" }]) {
    try {
      await loadTokenizer(folder, { ...json, model: { ...(json["model"] as object), vocab } });
      assert.unreachable(JSON.stringify(vocab));
    } catch (error) {
      assert.instance(error, BadDataError);
      assert.match(
        String(error),
        /tokenizer\.json: model\.vocab(\.a|\[0\])? is .*, not .*; take the file from the model's source again$/,
      );
    }
  }
});

interface GoldenLines {
  bos: number;
  lines: { text: string; ids: number[]; decoded: string }[];
}

const fixtures = fileURLToPath(new URL("fixtures/tokenizers/", import.meta.url));
for (const name of ["unigram", "byte-fallback"]) {
  test(`a tokenizer of SentencePiece's kind (${name}) gives what the Python library gives`, async () => {
    const read = async <T>(file: string): Promise<T> => JSON.parse(await readFile(`${fixtures}${name}/${file}`, "utf8")) as T;
    const tokenizer = await loadTokenizer(`${fixtures}${name}`, await read("tokenizer.json"));
    const golden = await read<GoldenLines>("golden.json");
    assert.is(tokenizer.bos, golden.bos);
    for (const { text, ids, decoded } of golden.lines) {
      assert.equal([...tokenizer.encode(text)], ids, text);
      assert.is(tokenizer.decode(ids), decoded, text);
    }
    // all of these characters are in both vocabularies, or are bytes
    for (const text of ["The folder", "खिडकी दाखवते", "窓の表示"]) {
      assert.is(tokenizer.byteLength(tokenizer.encode(text)), Buffer.byteLength(` ${text}`), text);
    }
  });
}

test("a byte token counts one byte", async () => {
  const json = JSON.parse(await readFile(`${fixtures}byte-fallback/tokenizer.json`, "utf8")) as Record<string, unknown>;
  const tokenizer = await loadTokenizer(`${fixtures}byte-fallback`, json);
  const text = "emoji 👩‍👧";
  assert.is(tokenizer.byteLength(tokenizer.encode(text)), Buffer.byteLength(` ${text}`));
});

test.run();
