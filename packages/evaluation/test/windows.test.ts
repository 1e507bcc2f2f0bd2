import { at } from "@mbs/contracts";
import { fileURLToPath } from "node:url";
import type { Corpus, CorpusDocument } from "@mbs/corpora";
import { openModel } from "@mbs/models";
import type { Tokenizer } from "@mbs/models";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { textWindows } from "../src/passage-windows.ts";
import type { WindowOptions } from "../src/windows.ts";

/** A token a character. */
const tokenizer: Tokenizer = {
  encode: (text) => Int32Array.from(text, (character) => character.codePointAt(0) ?? 0),
  decode: (ids) => String.fromCodePoint(...Array.from(ids)),
  bos: undefined,
  prefix: undefined,
  eos: undefined,
  ends: { before: [], after: [] },
  sentinels: [],
  languages: new Map(),
  byteLength: (ids) => Buffer.byteLength(String.fromCodePoint(...Array.from(ids).filter((id) => id > 1))),
};

const decoder = await openModel(fileURLToPath(new URL("../../models/test/fixtures/forward/plain-f32", import.meta.url)));
const passages = await decoder.passages();
await decoder.close();

const corpusOf = (documents: readonly CorpusDocument[]): Corpus => ({
  name: "test",
  license: undefined,
  languages: ["en"],
  files: [],
  address: Promise.resolve(""),
  async *documents() {
    await Promise.resolve();
    yield* documents;
  },
});

async function cut(documents: readonly CorpusDocument[], options: Partial<WindowOptions> = {}) {
  const warnings: string[] = [];
  const windows = await textWindows(corpusOf(documents), "en", tokenizer, passages, {
    length: 5,
    bos: undefined,
    bySource: false,
    limit: undefined,
    warn: (message) => warnings.push(message),
    ...options,
  });
  return { windows, warnings, texts: windows.map(({ source, passage }) => `${source}:${tokenizer.decode(passage.scored)}`) };
}

const documents = [
  { text: "abcd", source: "x" },
  { text: "हिन्", source: "y" },
  { text: "efghijkl", source: "x" },
];

test("texts are joined by a blank line and cut without overlap; a short tail is dropped", async () => {
  const { texts, windows } = await cut(documents);
  assert.equal(texts, [":abcd\n", ":\nहिन्", ":\n\nefg", ":hijkl"]);
  assert.equal(
    windows.map(({ window }) => window),
    [0, 1, 2, 3],
  );
  // All but the first token: four letters of three bytes.
  assert.is(at(windows, 1).bytes, 12);
  assert.is((await cut(documents, { length: 6 })).texts.length, 3);
});

test("the beginning token takes a place in every window and has no bytes", async () => {
  const { windows, texts } = await cut(documents, { bos: 1 });
  assert.equal(texts.slice(0, 2), [":\u0001abcd", ":\u0001\n\nहि"]);
  assert.is(windows.length, 5);
  assert.is(at(windows, 0).bytes, 4);
});

test("by source: each is joined on its own", async () => {
  const { texts } = await cut(documents, { bySource: true, length: 4 });
  assert.equal(texts, ["x:abcd", "y:हिन्", "x:\n\nef", "x:ghij"]);
});

test("a limit takes from the sources in turn, the same first windows as without", async () => {
  const { texts } = await cut(documents, { bySource: true, length: 4 });
  assert.equal((await cut(documents, { bySource: true, length: 4, limit: 3 })).texts, texts.slice(0, 3));
  const long = Array.from({ length: 300 }, (_, index) => ({ text: `text number ${index}`, source: "" }));
  const all = await cut(long, { length: 7 });
  assert.equal((await cut(long, { length: 7, limit: 20 })).texts, all.texts.slice(0, 20));
});

test("too little text for one window is an error, with the language and the tokens", async () => {
  const { windows, warnings } = await cut(documents.slice(0, 1));
  assert.equal(windows, []);
  assert.equal(warnings, ["en: 4 tokens of text, too few for one window of 5; left out"]);
});

test.run();
