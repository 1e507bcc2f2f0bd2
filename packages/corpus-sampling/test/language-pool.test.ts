import { at } from "@mbs/contracts";
import type { Corpus } from "@mbs/corpora";
import { LanguagePool, type SegmentText, type Shortage } from "@mbs/corpus-sampling";
import type { Tokenizer } from "@mbs/models";
import { test } from "uvu";
import * as assert from "uvu/assert";

/** A token a character. */
const tokenizer: Tokenizer = {
  ends: { before: [], after: [] },
  sentinels: [],
  languages: new Map(),
  encode: (text) => Int32Array.from(text, (character) => character.codePointAt(0) ?? 0),
  decode: (ids) => String.fromCodePoint(...Array.from(ids)),
  bos: undefined,
  prefix: undefined,
  eos: undefined,
  byteLength: (ids) => ids.length,
};

function corpusOf(texts: readonly string[]): Corpus & { passes: number } {
  return {
    name: "test",
    license: undefined,
    languages: ["en"],
    files: [],
    address: Promise.resolve(""),
    passes: 0,
    async *documents() {
      this.passes += 1;
      await Promise.resolve();
      for (const text of texts) yield { text, source: "" };
    },
  };
}

async function draw(
  corpus: Corpus,
  count: number,
  options: { length: number; seed?: number; reuse?: boolean },
): Promise<{ texts: string[]; missing: number; shortage: Shortage | undefined; segments: SegmentText[] }> {
  const pool = new LanguagePool(corpus, "en", tokenizer, { seed: 0, reuse: false, ...options });
  const segments: SegmentText[] = [];
  const made = pool.segments(count);
  for (;;) {
    const next = await made.next();
    if (next.done)
      return {
        texts: segments.map(({ tokens }) => tokenizer.decode(tokens)),
        missing: next.value?.missing ?? 0,
        shortage: next.value,
        segments,
      };
    segments.push(next.value);
  }
}

const numbered = Array.from({ length: 200 }, (_, index) => `d${String(index).padStart(3, "0")}`);

test("documents are joined by a blank line until long enough, then cut", async () => {
  // 4 characters each: three documents with two blank lines between make 16, which is cut to 13.
  const { texts, segments, missing } = await draw(corpusOf(numbered), 20, { length: 13 });
  assert.is(missing, 0);
  for (const text of texts) assert.match(text, /^d\d{3}\n\nd\d{3}\n\nd$/);
  assert.ok(segments.every(({ documents, tokens }) => (documents === 3 + 0 || documents === 4 ? tokens.length === 13 : false)));
});

test("no document is drawn twice, and the order is random and given by the seed", async () => {
  const { texts } = await draw(corpusOf(numbered), 100, { length: 4 });
  assert.is(new Set(texts).size, 100);
  assert.is.not(texts.join(), [...texts].sort().join());
  assert.equal((await draw(corpusOf(numbered), 100, { length: 4 })).texts, texts);
  assert.is.not((await draw(corpusOf(numbered), 100, { length: 4, seed: 1 })).texts.join(), texts.join());
});

test("asking for fewer segments gives the first of them", async () => {
  const many = await draw(corpusOf(numbered), 150, { length: 4 });
  const few = await draw(corpusOf(numbered), 7, { length: 4 });
  assert.equal(few.texts, many.texts.slice(0, 7));
});

test("each document is as likely to come first", async () => {
  const first = new Map<string, number>();
  for (let seed = 0; seed < 2000; seed++) {
    const text = at((await draw(corpusOf(["aaaa", "bbbb", "cccc", "dddd"]), 1, { length: 4, seed })).texts, 0);
    first.set(text, (first.get(text) ?? 0) + 1);
  }
  // 500 expected, standard deviation 19.4: five of them.
  for (const count of first.values()) assert.ok(Math.abs(count - 500) < 97, String(count));
  assert.is(first.size, 4);
});

test("too little text: what is missing is counted in tokens", async () => {
  // Two documents of 4 and a blank line make 10; of five documents one is left.
  const { texts, missing, shortage } = await draw(corpusOf(numbered.slice(0, 5)), 4, { length: 10 });
  assert.is(texts.length, 2);
  assert.is(missing, 2 * 10 - 4);
  assert.equal(shortage, { made: 2, tokens: 20, cut: false, missing: 16 });
  const nothing = { made: 0, tokens: 0, cut: false, missing: 20 };
  assert.equal((await draw(corpusOf([]), 2, { length: 10 })).shortage, nothing);
  const [long] = [await draw(corpusOf(["x".repeat(1000)]), 2, { length: 10 })];
  assert.equal(long.shortage, { made: 1, tokens: 160, cut: true, missing: 10 });
});

test("reuse draws all again in another order", async () => {
  const { texts, missing } = await draw(corpusOf(numbered.slice(0, 8)), 24, { length: 4, reuse: true });
  assert.is(missing, 0);
  for (const round of [0, 8, 16]) assert.is(new Set(texts.slice(round, round + 8)).size, 8);
  assert.is.not(texts.slice(0, 8).join(), texts.slice(8, 16).join());
  assert.is((await draw(corpusOf([]), 2, { length: 4, reuse: true })).missing, 8);
});

test("a small need takes one pass; a text whose tokens are long takes another", async () => {
  const plain = corpusOf(numbered);
  await draw(plain, 20, { length: 4 });
  assert.is(plain.passes, 1);
  const wide: Tokenizer = { ...tokenizer, encode: (text) => new Int32Array(Math.ceil(text.length / 40)) };
  const corpus = corpusOf(Array.from({ length: 400 }, () => "x".repeat(80)));
  const pool = new LanguagePool(corpus, "en", wide, { seed: 0, reuse: false, length: 8 });
  let made = 0;
  for await (const { tokens } of pool.segments(10)) made += tokens.length;
  assert.is(made, 80);
  assert.ok(corpus.passes > 1, String(corpus.passes));
});

test("tokens a byte are measured over the texts", async () => {
  const pool = new LanguagePool(corpusOf(["ab", "हिन्दी"]), "en", tokenizer, { seed: 0, reuse: false, length: 4 });
  assert.is(await pool.tokensPerByte(), (2 + 6) / (2 + 18));
});

test.run();
