import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { BadDataError } from "@mbs/contracts";
import { tinyTokenizer } from "../src/tokenizer/tiny-tokenizer.ts";
import { loadTokenizer } from "../src/tokenizer/tokenizer.ts";
import { applyEdit, canBeSound, describeEdit, randomEdits, tokensOf } from "./tokenizer-edits.ts";

const test = suite("tokenizer-shape");

type Json = Readonly<Record<string, unknown>>;
const fixture = async (name: string): Promise<Json> =>
  JSON.parse(await readFile(fileURLToPath(new URL(`fixtures/${name}/tokenizer.json`, import.meta.url)), "utf8")) as Json;

/** The tiny tokenizer with parts of every kind that have something to be wrong. */
const tiny = tinyTokenizer() as Json;
const full: Json = {
  ...tiny,
  pre_tokenizer: {
    type: "Sequence",
    pretokenizers: [
      { type: "Split", pattern: { Regex: "\\p{N}" }, behavior: "Isolated", invert: false },
      { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
    ],
  },
  post_processor: {
    type: "TemplateProcessing",
    single: [{ SpecialToken: { id: "<s>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
    pair: [{ Sequence: { id: "A", type_id: 0 } }, { Sequence: { id: "B", type_id: 1 } }],
    special_tokens: { "<s>": { id: "<s>", ids: [1], tokens: ["<s>"] } },
  },
};

const deep = (depth: number): unknown => (depth === 0 ? { type: "NFC" } : { type: "Sequence", normalizers: [deep(depth - 1)] });

test("a part of a type that the library does not expect is refused, with the path of its key", async () => {
  const unigram = await fixture("tokenizers/unigram");
  const cases: readonly (readonly [json: Json, path: string, after: unknown, message: RegExp])[] = [
    [
      full,
      "pre_tokenizer.pretokenizers.0.behavior",
      5,
      /: pre_tokenizer\.pretokenizers\[0\]\.behavior is 5, not one of Removed,/,
    ],
    [full, "pre_tokenizer.pretokenizers.0.invert", 0, /\.invert is 0, not true or false;/],
    [full, "pre_tokenizer.pretokenizers.0.pattern", "a", /\.pattern is "a", not an object of one String or Regex;/],
    [
      full,
      "pre_tokenizer.pretokenizers.1.type",
      "Nothing",
      /pretokenizers\[1\]\.type is "Nothing", not one of BertPreTokenizer,/,
    ],
    [full, "pre_tokenizer", { type: "FixedLength", length: 0 }, /pre_tokenizer\.length is 0, not a whole number from 1 to/],
    [full, "post_processor.single", 5, /: post_processor\.single is 5, not a list;/],
    [full, "post_processor.single.0", {}, /post_processor\.single\[0\] is \{\}, not an object of one SpecialToken or Sequence;/],
    [full, "post_processor.single.1.Sequence.id", "B", /single\[1\]\.Sequence\.id is "B", not one of A;/],
    [
      full,
      "post_processor.single.0.SpecialToken.id",
      "<t>",
      /single\[0\]\.SpecialToken\.id names "<t>", which is no token of it;/,
    ],
    [full, "post_processor.special_tokens.<s>.ids.0", 7, /ids\[0\] is 7, where "<s>" has the id 1;/],
    [full, "normalizer", deep(40), /normalizers\[0\] is "Sequence", not at most 16 deep;/],
    [full, "added_tokens.2.id", 1e12, /: added_tokens\[2\]\.id is 1000000000000, not a whole number from 0 to 2147483647;/],
    [full, "added_tokens.2.id", -5, /added_tokens\[2\]\.id is -5, not a whole number/],
    [full, "added_tokens.2.id", 9, /added_tokens\[2\]\.id is 9, where "<\/s>" has the id 2;/],
    [full, "added_tokens.2", { id: 9, content: "<new>" }, /added_tokens\[2\]\.id is 9, which is also the id of ".";/u],
    [full, "added_tokens.0.special", 1, /added_tokens\[0\]\.special is 1, not true or false;/],
    [full, "added_tokens", undefined, /added_tokens is missing, not a list;/],
    [full, "model.vocab.a", 102, /model\.vocab\.\S+ is 102, which is also the id of "\S+";/u],
    [full, "model.merges", ["a b"], /model\.merges\[0\] needs the token "ab", which model\.vocab does not have;/],
    [
      full,
      "model.merges",
      ["a b", ["a", "b"]],
      /model\.merges\[1\] is \["a","b"\], not two tokens, in the form of the first merge;/,
    ],
    [full, "model.merges", [5], /model\.merges\[0\] is 5, not two tokens,/],
    [full, "model.type", "WordPiece", /model\.type is "WordPiece", not one of BPE, Unigram;/],
    [unigram, "model.unk_id", 1e6, /model\.unk_id is 1000000, the id of no token;/],
    [unigram, "model.vocab.3", ["a", "b"], /model\.vocab\[3\] is "b", not a number;/],
    [unigram, "model.vocab", [], /model\.vocab is \[\], not a list of tokens and scores;/],
  ];
  for (const [json, path, after, message] of cases) {
    const keys = path.split(".").map((key) => (/^\d+$/.test(key) ? Number(key) : key));
    const changed = applyEdit(json, { path: keys, before: undefined, after }) as Json;
    try {
      await loadTokenizer("/nowhere", changed);
    } catch (error) {
      assert.instance(error, BadDataError, `${path}: ${String(error)}`);
      assert.match((error as Error).message, message);
      assert.match((error as Error).message, /^\/nowhere\/tokenizer\.json: .*; take the file from the model's source again$/u);
      continue;
    }
    assert.unreachable(`${path} = ${JSON.stringify(after)} was taken`);
  }
});

test("a character without a token is refused where there is no token for unknown ones", async () => {
  const json = await fixture("tokenizers/unigram");
  const tokenizer = await loadTokenizer(
    "/nowhere",
    applyEdit(json, { path: ["model", "unk_id"], before: 0, after: null }) as Json,
  );
  assert.throws(
    () => tokenizer.encode("☃"),
    (error: unknown) => error instanceof BadDataError && /has no token for a part of a text/.test(error.message),
  );
});

test("edits at random positions give the same tokens, another sound tokenizer, or a refusal; nothing else", async () => {
  let refusals = 0;
  const places = ["tokenizers/unigram", "tokenizers/byte-fallback"];
  const tokenizers = [
    ["full", full] as const,
    ...(await Promise.all(places.map(async (name) => [name, await fixture(name)] as const))),
  ];
  for (const [name, json] of tokenizers) {
    const expected = await tokensOf(json);
    assert.is.not(expected, "refused");
    const edits = randomEdits(json, 12, name);
    for (let count = 0; count < 400; count++) {
      const edit = edits.next().value;
      const found = await tokensOf(applyEdit(json, edit));
      if (found === "refused") refusals++;
      else if (found !== expected) assert.ok(canBeSound(edit), `${name}: ${describeEdit(edit)} gives other tokens`);
    }
  }
  assert.ok(refusals > 400, `${refusals} of 1200 edits were refused`);
});

test.run();
