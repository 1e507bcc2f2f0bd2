import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { at, BadDataError, FailedPreconditionError } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { learntMerges, openMergeList, readMergeList } from "../src/tokenizer/merge-list.ts";
import { tinyTokenizer } from "../src/tokenizer/tiny-tokenizer.ts";
import { loadTokenizer } from "../src/tokenizer/tokenizer.ts";

const controlled = fileURLToPath(new URL("../../../datasets/controlled-bloom", import.meta.url));
const tiny = tinyTokenizer() as Record<string, unknown>;
const fixture = async (name: string): Promise<Record<string, unknown>> =>
  JSON.parse(
    await readFile(fileURLToPath(new URL(`fixtures/tokenizers/${name}/tokenizer.json`, import.meta.url)), "utf8"),
  ) as Record<string, unknown>;

test("the merges of a byte-level tokenizer, applied in order, give its own tokens", async () => {
  const list = await openMergeList(controlled);
  const json = JSON.parse(await readFile(`${controlled}/tokenizer.json`, "utf8")) as Record<string, unknown>;
  const tokenizer = await loadTokenizer(controlled, json);
  assert.is(list.merges.length, 3836);
  for (const text of ["The folder shows the window.", "खिडकी सर्व फाइल", "窓の表示, 2 files\n", "naïve (x|y)"]) {
    const count = list.words(text).reduce((sum, word) => {
      const symbols = [...list.symbols(word)];
      for (const { left, right, merged } of list.merges) {
        for (let index = 0; index + 1 < symbols.length; index += 1) {
          if (symbols[index] === left && symbols[index + 1] === right) symbols.splice(index, 2, merged);
        }
      }
      return sum + symbols.length;
    }, 0);
    assert.is(count, tokenizer.encode(text).length, text);
  }
});

test("SentencePiece's words end before spaces, at digits and where letters end; unknown characters are marked", async () => {
  const list = readMergeList(await fixture("byte-fallback"), "x");
  assert.equal(list.words("The folder, 12"), ["▁The", "▁folder", ",", "▁1", "2"]);
  assert.equal(
    [...list.symbols("a☃a")].map((symbol) => symbol >= 0),
    [true, false, true],
  );
});

test("of all the ways to make a piece, the one that the merges before leave was learnt", () => {
  const ab = ["a", "b"] as const;
  const bc = ["b", "c"] as const;
  const last = [
    ["a", "bc"],
    ["ab", "c"],
  ] as const;
  assert.equal(learntMerges([ab, bc, ...last]), [ab, bc, last[1]]);
  assert.equal(learntMerges([bc, ab, ...last]), [bc, ab, last[0]]);
});

test("merges written as text and as pairs are the same", () => {
  const { vocab } = tiny["model"] as { vocab: object };
  const model = { ...(tiny["model"] as object), vocab: { ...vocab, ab: 260, abc: 261 }, merges: ["a b", "ab c"] };
  const pairs = {
    ...model,
    merges: [
      ["a", "b"],
      ["ab", "c"],
    ],
  };
  const [first, second] = [readMergeList({ ...tiny, model }, "x").merges, readMergeList({ ...tiny, model: pairs }, "x").merges];
  assert.equal(first, second);
  assert.is(at(first, 1).left, at(first, 0).merged);
});

test("a Unigram tokenizer, an unknown kind and broken merges are refused", async () => {
  const unigram = await fixture("unigram");
  assert.throws(
    () => readMergeList(unigram, "x/tokenizer.json"),
    (error: unknown) => error instanceof FailedPreconditionError && /Unigram/.test(error.message),
  );
  assert.throws(
    () => readMergeList({ ...tiny, decoder: null }, "x"),
    (error: unknown) => error instanceof FailedPreconditionError,
  );
  for (const merges of [undefined, {}, [], ["abc"], [["a"]], [["a", 1]], ["a b c"], ["a b", ["a", "b"]]]) {
    assert.throws(
      () => readMergeList({ ...tiny, model: { ...(tiny["model"] as object), merges } }, "x"),
      (error: unknown) => error instanceof BadDataError,
      JSON.stringify(merges),
    );
  }
  assert.throws(
    () => readMergeList({ ...tiny, model: { ...(tiny["model"] as object), vocab: undefined } }, "x"),
    (error: unknown) => error instanceof BadDataError && /x: model\.vocab is missing, not an object/.test(error.message),
  );
});

test.run();
