import { test } from "uvu";
import * as assert from "uvu/assert";
import { at } from "@mbs/contracts";
import { makeTokenizer, tokenIds } from "@mbs/models";
import type { JsonObject, Tokenizer } from "@mbs/models";
import { chooseTokens } from "../src/kept-tokens.ts";
import { readTokenizerParts } from "../src/tokenizer-parts.ts";
import { trimmedTokenizer } from "../src/trimmed-tokenizer.ts";
import { controlledTexts, families, readFamily } from "./trimmed-model.ts";

/*
 * What is promised of every family of tokenizers: texts of the kept languages encode to the same tokens, and any other text loses
 * nothing that it did not lose before.
 */

const languages = ["en", "de", "ru", "ja", "ta"];
const texts = await controlledTexts(languages, 6);
const cases: readonly (readonly string[])[] = [["en"], ["ta", "de"], ["ru", "ja"]];

/** Scripts, emoji and spaces that no language of the texts has, and unknown characters between known ones. */
const strangeTexts = [
  "ქართული ენა",
  "שלום עולם",
  "naïve Ångström ﬁle",
  "👩‍👩‍👧 family\t tab  two spaces",
  "a\u0301 decomposed",
  "\u{10348} Gothic 𐍈 and 漢字仮名",
  "line\n\n\nbreaks\r\n",
  "x∀y∃z",
  "",
];

interface Both {
  readonly json: JsonObject;
  readonly before: Tokenizer;
  readonly after: Tokenizer;
  readonly trimmedJson: JsonObject;
  readonly newId: (id: number) => number | undefined;
  readonly rows: Int32Array;
}

async function trimmedFor(family: string, keep: readonly string[], multiple = 1): Promise<Both> {
  const json = await readFamily(family);
  const before = makeTokenizer(family, json, {});
  const parts = readTokenizerParts(json, family);
  const own = keep.flatMap((language) => texts[language] ?? []).flatMap((text) => [...before.encode(text)]);
  const { newId, rows } = chooseTokens(parts, { texts: new Set(own), named: [], template: [], rows: parts.ids.size, multiple });
  const trimmedJson = trimmedTokenizer(json, newId);
  return { json, before, after: makeTokenizer(family, trimmedJson, {}), trimmedJson, newId, rows };
}

const renumbered = (ids: Int32Array, newId: Both["newId"]): (number | undefined)[] => Array.from(ids, newId);

/** How often a text has the token of what is unknown; the families have it by this name, or none. */
const unknownIn = (ids: Int32Array, json: JsonObject): number => {
  const unknown = tokenIds(json).get("<unk>");
  return ids.filter((id) => id === unknown).length;
};

/** Flags of the added tokens, without their ids. */
const flags = ({ added_tokens: added }: JsonObject): object[] => (added as object[]).map((token) => ({ ...token, id: 0 }));

const scores = ({ model }: JsonObject): number[] => (model as { vocab: [string, number][] }).vocab.map(([, score]) => score);

for (const family of families) {
  test(`${family}: texts of kept languages encode to the same tokens, others decode to the same texts`, async () => {
    for (const keep of cases) {
      const { json, before, after, trimmedJson, newId, rows } = await trimmedFor(family, keep);
      assert.ok(rows.length < tokenIds(json).size, `${keep.join()} keeps all of ${family}`);
      let longer = 0;
      for (const language of languages) {
        for (const text of texts[language] ?? []) {
          const [old, own] = [before.encode(text), after.encode(text)];
          if (keep.includes(language)) assert.equal([...own], renumbered(old, newId), `${family} ${language}: ${text}`);
          else if (own.length > old.length) longer += 1;
          assert.is(after.decode(own), before.decode(old), `${family} ${language}: ${text}`);
          assert.is(unknownIn(own, trimmedJson), unknownIn(old, json));
        }
      }
      assert.ok(longer > 0, "no text of another language has lost a token: nothing was tested");
      for (const text of strangeTexts) {
        const [old, own] = [before.encode(text), after.encode(text)];
        assert.is(after.decode(own), before.decode(old), `${family}: ${text}`);
        assert.is(unknownIn(own, trimmedJson), unknownIn(old, json), `${family}: ${text}`);
      }
    }
  });

  test(`${family}: new ids are in the order of the old ones, and name the same tokens`, async () => {
    const { json, trimmedJson, newId, after } = await trimmedFor(family, ["de"]);
    const [old, own] = [tokenIds(json), tokenIds(trimmedJson)];
    for (const [token, id] of own) assert.is(id, newId(old.get(token) ?? -1), token);
    assert.equal(
      [...own.values()].sort((a, b) => a - b),
      [...own.keys()].map((_, index) => index),
    );
    // added tokens keep their flags, and what is put around texts is still what it was
    assert.equal(flags(trimmedJson), flags(json));
    const bos = makeTokenizer(family, json, {}).bos;
    assert.is(after.bos, newId(bos ?? -1));
    assert.ok(bos !== undefined);
  });

  test(`${family}: rows are filled up to a multiple, which changes no text of a kept language`, async () => {
    const { before, after, newId, rows } = await trimmedFor(family, ["en"], 64);
    assert.is(rows.length % 64, 0);
    for (const text of texts["en"] ?? []) assert.equal([...after.encode(text)], renumbered(before.encode(text), newId));
  });
}

for (const family of ["byte-level", "sentencepiece-bpe"] as const) {
  test(`${family}: without the tokens that kept ones are merged from, kept texts would change`, async () => {
    const json = await readFamily(family);
    const before = makeTokenizer(family, json, {});
    const own = texts["en"] ?? [];
    const used = new Set(own.flatMap((text) => [...before.encode(text)]));
    const parts = readTokenizerParts(json, family);
    const { newId, reasons } = chooseTokens(parts, { texts: used, named: [], template: [], rows: parts.ids.size, multiple: 1 });
    assert.ok(reasons.merges > 0);
    const characters = [...parts.ids].flatMap(([token, id]) => (/^(?:.|<.*>)$/su.test(token) ? [id] : []));
    const alphabet = new Set([...characters, ...parts.added]);
    const bare = (id: number): number | undefined => (used.has(id) || alphabet.has(id) ? newId(id) : undefined);
    const after = makeTokenizer(family, trimmedTokenizer(json, bare), {});
    assert.ok(own.some((text) => after.encode(text).join() !== renumbered(before.encode(text), newId).join()));
  });
}

test("unigram: unknown characters are scored by the lowest piece, which is kept", async () => {
  const { json, trimmedJson, newId } = await trimmedFor("unigram", ["ta"]);
  assert.is(Math.min(...scores(trimmedJson)), Math.min(...scores(json)));
  const unknown = (json["model"] as { unk_id: number }).unk_id;
  assert.is((trimmedJson["model"] as { unk_id: number }).unk_id, newId(unknown));
});

test("unigram: pieces with a character that is no piece of its own are kept", async () => {
  const json = await readFamily("unigram");
  const model = json["model"] as { vocab: readonly (readonly [string, number])[] };
  const vocab = [...model.vocab, ["ქა", -9], ["▁გამ", -9.5]] as const;
  const added = (json["added_tokens"] as { id: number; content: string }[]).map((token) =>
    token.content.startsWith("<madeup") ? { ...token, id: token.id + 2 } : token,
  );
  const longer = { ...json, added_tokens: added, model: { ...model, vocab } };
  const parts = readTokenizerParts(longer, "unigram");
  const before = makeTokenizer("unigram", longer, {});
  const { newId } = chooseTokens(parts, { texts: [], named: [], template: [], rows: parts.ids.size, multiple: 1 });
  const after = makeTokenizer("unigram", trimmedTokenizer(longer, newId), {});
  for (const text of ["ქა გამ", "გამქა x"]) assert.is(after.decode(after.encode(text)), before.decode(before.encode(text)));
  assert.ok(newId(vocab.length - 1) !== undefined && newId(vocab.length - 2) !== undefined);
});

const hex = (byte: number): string => byte.toString(16).toUpperCase().padStart(2, "0");
const byteTokens = Array.from({ length: 256 }, (_, byte) => `<0x${hex(byte)}>`);

/** The Unigram fixture with more pieces behind the others; added tokens that were behind stay so. */
const withPieces = (json: JsonObject, pieces: readonly string[], fallback: boolean): JsonObject => {
  const model = json["model"] as { vocab: readonly (readonly [string, number])[] };
  const added = (json["added_tokens"] as { id: number }[]).map((token) =>
    token.id < model.vocab.length ? token : { ...token, id: token.id + pieces.length },
  );
  const vocab = [...model.vocab, ...pieces.map((piece) => [piece, 0] as const)];
  return { ...json, added_tokens: added, model: { ...model, vocab, byte_fallback: fallback } };
};

const leftOf = (json: JsonObject, tokens: readonly string[]): readonly string[] => {
  const parts = readTokenizerParts(json, "tokenizer");
  const { newId } = chooseTokens(parts, { texts: [], named: [], template: [], rows: parts.ids.size, multiple: 1 });
  const ids = tokenIds(trimmedTokenizer(json, newId));
  return tokens.filter((token) => ids.has(token));
};

test("unigram with byte fallback: the tokens of bytes are kept, which programs with byte fallback need", async () => {
  const json = await readFamily("unigram");
  // made of characters that are pieces, so that nothing else keeps them
  const characters = tokenIds(json);
  const [ofPieces, first] = [
    byteTokens.filter((token) => Array.from(token).every((one) => characters.has(one))),
    byteTokens.slice(0, 9),
  ];
  assert.ok(ofPieces.length > 0);
  assert.equal(leftOf(withPieces(json, byteTokens, true), byteTokens), byteTokens);
  assert.equal(leftOf(withPieces(json, first, true), byteTokens), first);
  const without = leftOf(withPieces(json, byteTokens, false), ofPieces);
  assert.equal(without, []);
});

test("sentencepiece-bpe: with some tokens of bytes missing, the others and all characters are kept", async () => {
  const json = await readFamily("sentencepiece-bpe");
  const model = json["model"] as { vocab: Record<string, number> };
  const few = byteTokens.slice(1);
  const characters = Object.keys(model.vocab).filter((token) => Array.from(token).length === 1);
  const vocab = Object.fromEntries(
    Object.entries(model.vocab).map(([token, id]) => (token === "<0x00>" ? ["<unused>", id] : [token, id])),
  );
  const wanted = [...few, ...characters];
  assert.equal(leftOf({ ...json, model: { ...model, vocab } }, [...byteTokens, ...characters]), wanted);
  assert.ok(leftOf(json, characters).length < characters.length);
});

test("sentencepiece-bpe: characters that go become bytes", async () => {
  const { before, after, trimmedJson } = await trimmedFor("sentencepiece-bpe", ["en"]);
  const [old, own] = [before.encode("いろは"), after.encode("いろは")];
  assert.ok(own.length > old.length);
  const names = new Map([...tokenIds(trimmedJson)].map(([token, id]) => [id, token]));
  assert.ok([...own].some((id) => /^<0x..>$/.test(names.get(id) ?? "")));
  assert.is(after.byteLength(own), before.byteLength(old));
});

test("tokens without a row come behind the rows, and a row without a token stays where it is named", async () => {
  const json = await readFamily("byte-level");
  const parts = readTokenizerParts(json, "byte-level");
  const last = Math.max(...parts.ids.values());
  const few = chooseTokens(parts, { texts: [40], named: [-1], template: [], rows: last, multiple: 1 });
  assert.is(few.newId(last), few.rows.length);
  assert.ok(!few.rows.includes(last) && few.rows.includes(40));
  const many = chooseTokens(parts, { texts: [40], named: [last + 5], template: [], rows: last + 10, multiple: 1 });
  assert.is(at(many.rows, many.rows.length - 1), last + 5);
  assert.is(many.rows.length, few.rows.length + 2);
});

test.run();
