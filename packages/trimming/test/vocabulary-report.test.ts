import { test } from "uvu";
import * as assert from "uvu/assert";
import { BadDataError, UsageError } from "@mbs/contracts";
import { openCorpus } from "@mbs/corpora";
import { reportVocabulary } from "../src/index.ts";
import type { VocabularyReport } from "../src/index.ts";
import {
  context,
  controlledTexts,
  readFamily,
  temporaryFolder,
  trimInto,
  withModel,
  writeCorpus,
  writeModel,
} from "./trimmed-model.ts";

const { root, remove } = await temporaryFolder();
test.after(remove);

const model = await writeModel(root, await readFamily("sentencepiece-bpe"), { vocabularySize: 1401 });
const texts = await controlledTexts(["en", "de", "ja"], 8);
const corpus = await writeCorpus(root, texts);
const heldOut = await writeCorpus(root, { ja: ["全く別の文章です。"], ru: ["Другой текст"] });

const report = async (keep?: readonly string[], other?: string, texts = corpus): Promise<VocabularyReport> =>
  withModel(model, async (opened) =>
    reportVocabulary(
      opened,
      {
        corpus: await openCorpus(texts, context()),
        keep,
        heldOut: other === undefined ? undefined : await openCorpus(other, context()),
        multiple: 32,
      },
      context(),
    ),
  );

test("without languages to keep, only what each uses", async () => {
  const { rows, sizes, languages, trimmed } = await report();
  assert.is(rows, 1401);
  assert.is(sizes.embedding, 1401 * 8 * 2);
  assert.is(sizes.head, 0);
  assert.ok(sizes.blocks > 0);
  assert.is(trimmed, undefined);
  assert.equal(
    languages.map(({ language, isKept }) => [language, isKept]),
    [
      ["de", false],
      ["en", false],
      ["ja", false],
    ],
  );
  for (const { language, texts: count, bytes, tokens, bytesPerToken, rows: used, ownRows } of languages) {
    const own = texts[language] ?? [];
    assert.is(count, own.length);
    assert.is(bytes, Buffer.byteLength(own.join("")));
    assert.is(bytesPerToken, bytes / tokens);
    assert.ok(ownRows > 0 && ownRows < used && used < 1401, `${language}: ${ownRows} of ${used}`);
  }
});

test("with them, what goes, and what each language loses: as trim writes it", async () => {
  const { languages, trimmed, heldOut: other } = await report(["en"], heldOut);
  const { folder } = await trimInto(root, { model, corpus, keep: ["en"] });
  const rows = await withModel(folder, (opened) => Promise.resolve(opened.vocabularySize));
  assert.is(trimmed?.rows, rows);
  assert.is(
    Object.values(trimmed?.reasons ?? {}).reduce((sum, count) => sum + count, 0),
    rows,
  );
  assert.is(trimmed?.sizes.embedding, rows * 8 * 2);
  const [de, en, ja] = languages;
  assert.equal([en?.isKept, en?.covered, en?.trimmed?.moreTokens, en?.trimmed?.sameTexts], [true, 1, 0, en?.texts]);
  assert.is(en?.trimmed?.bytesPerToken, en?.bytesPerToken);
  for (const lost of [de, ja]) {
    assert.ok(lost?.trimmed !== undefined && (lost.trimmed.moreTokens ?? 0) > 0 && (lost.covered ?? 1) < 1);
    assert.ok((lost.trimmed.bytesPerToken ?? Infinity) < (lost.bytesPerToken ?? 0));
    assert.is(lost.trimmed.changedTexts, 0);
  }
  assert.ok((ja?.trimmed?.moreTokens ?? 0) > (de?.trimmed?.moreTokens ?? Infinity), "Japanese loses more than German");
  assert.equal(
    other?.languages.map(({ language, isKept, texts: count, trimmed: own }) => [language, isKept, count, own?.changedTexts]),
    [
      ["ja", false, 1, 0],
      ["ru", false, 1, 0],
    ],
  );
});

test("a language that the corpus does not have is refused", async () => {
  const error = await report(["en", "ru"]).catch((reason: unknown) => reason);
  assert.instance(error, UsageError);
  assert.match(String(error), "has no texts of ru, but of de, en, ja");
});

test("a language without a token has no shares, and cannot be kept", async () => {
  const some = await writeCorpus(root, { en: ["a text"], de: [""] });
  const { languages, heldOut: other } = await report(["en"], some, some);
  const [de] = languages;
  assert.equal(de, {
    language: "de",
    isKept: false,
    texts: 0,
    bytes: 0,
    tokens: 0,
    rows: 0,
    ownRows: 0,
    trimmed: { tokens: 0, sameTexts: 0, changedTexts: 0 },
  });
  assert.not.ok("bytesPerToken" in (other?.languages[0] ?? {}));
  const error = await report(["de"], undefined, some).catch((reason: unknown) => reason);
  assert.instance(error, BadDataError);
  assert.match(String(error), "the texts of de have no token");
});

test.run();
