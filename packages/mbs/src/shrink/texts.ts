import { createHash } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { writeAtomically } from "@mbs/artifacts";
import { BadDataError, InterruptedError } from "@mbs/contracts";
import type { Corpus } from "@mbs/corpora";

/** Of every four documents, the last is held out. */
const part = 4;

/** UTF-8 bytes of calibration text of a language that are read at most; enough for hundreds of segments. */
const mostBytes = 4_000_000;

/** Characters of a piece where a language has fewer than `part` documents. */
const pieceLength = 2000;

/** The texts of one language, in two parts that have no document in common. */
export interface DividedTexts {
  readonly calibration: readonly string[];
  readonly heldOut: readonly string[];
}

/** Cuts a text at spaces and line ends into pieces of about the same length. */
function piecesOf(text: string): string[] {
  const pieces: string[] = [];
  let rest = text;
  while (rest.length > pieceLength) {
    const space = rest.slice(pieceLength).search(/\s/);
    const end = space < 0 ? rest.length : pieceLength + space;
    pieces.push(rest.slice(0, end));
    rest = rest.slice(end).trimStart();
  }
  return rest === "" ? pieces : [...pieces, rest];
}

/**
 * Divides documents by their number, so that translations that stand at the same place go to the same part. Documents that come
 * twice count once.
 */
export function divideTexts(documents: readonly string[]): DividedTexts {
  const seen = new Set<string>();
  const different = documents.filter((text) => {
    const digest = createHash("sha256").update(text.trim()).digest("base64");
    if (text.trim() === "" || seen.has(digest)) return false;
    seen.add(digest);
    return true;
  });
  const pieces = different.length >= part ? different : different.flatMap(piecesOf);
  const isHeldOut = (index: number): boolean => index % part === part - 1;
  return {
    calibration: pieces.filter((_, index) => !isHeldOut(index)),
    heldOut: pieces.filter((_, index) => isHeldOut(index)),
  };
}

/** Documents of a language, up to so many bytes. */
async function readDocuments(corpus: Corpus, language: string, signal: AbortSignal): Promise<string[]> {
  const documents: string[] = [];
  let bytes = 0;
  for await (const { text } of corpus.documents(language)) {
    if (signal.aborted) throw new InterruptedError("shrink: stopped");
    documents.push(text);
    bytes += Buffer.byteLength(text);
    if (bytes >= mostBytes) break;
  }
  return documents;
}

/** Where the two parts are, and what is in them. */
export interface ShrinkTexts {
  /** Folders of LANG.jsonl. */
  readonly calibration: string;
  readonly heldOut: string;
  /** UTF-8 bytes by language, in each part. */
  readonly bytes: ReadonlyMap<string, { readonly calibration: number; readonly heldOut: number }>;
}

const sizeOf = (texts: readonly string[]): number => texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);

/** Writes a file that does not say the same already: a run goes on from the one that is there. */
async function writeTexts(path: string, texts: readonly string[]): Promise<void> {
  const content = texts.map((text) => `${JSON.stringify({ text })}\n`).join("");
  if ((await readFile(path, "utf8").catch(() => undefined)) === content) return;
  await mkdir(dirname(path), { recursive: true });
  await writeAtomically(path, [Buffer.from(content)], { force: true });
}

/** Where texts are from. */
export interface TextSources {
  readonly corpus: Corpus;
  /** Texts of the same kind that are held out; absent where a part of the corpus is. */
  readonly heldOut: Corpus | undefined;
}

/**
 * The texts of some languages in two parts, one to calibrate with and one to score on.
 *
 * @param names of the languages in the texts, by tag
 * @returns by tag; nothing is held out of a language of which `heldOut` has no texts
 * @throws {BadDataError} for a language that has too little text for both, or where there is nothing to score on
 */
export async function divideCorpus(
  { corpus, heldOut }: TextSources,
  names: ReadonlyMap<string, string>,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, DividedTexts>> {
  const divided = new Map<string, DividedTexts>();
  for (const [tag, name] of names) {
    const documents = await readDocuments(corpus, name, signal);
    if (heldOut === undefined) {
      divided.set(tag, divideTexts(documents));
    } else {
      const isThere = heldOut.languages.includes(name);
      divided.set(tag, { calibration: documents, heldOut: isThere ? await readDocuments(heldOut, name, signal) : [] });
    }
  }
  const short = [...divided].find(
    ([, own]) => own.calibration.length === 0 || (heldOut === undefined && own.heldOut.length === 0),
  );
  if (short !== undefined) {
    throw new BadDataError(
      `the texts of ${short[0]} are too short to calibrate with one part and score another; give at least a few pages`,
      { language: short[0] },
    );
  }
  if ([...divided.values()].every((own) => own.heldOut.length === 0)) {
    throw new BadDataError(
      `there are no texts of ${[...divided.keys()].join(", ")} to score on; give texts of your own with --texts, or add a language that has some`,
    );
  }
  return divided;
}

/** The calibration texts as a corpus that is not written yet. */
export const calibrationCorpus = (divided: ReadonlyMap<string, DividedTexts>): Corpus => ({
  name: "calibration",
  license: undefined,
  languages: [...divided.keys()],
  files: [],
  address: Promise.resolve(""),
  async *documents(language) {
    for (const text of divided.get(language)?.calibration ?? []) yield { text, source: "" };
  },
});

/** Writes both parts. @param folder in which `calibration` and `held-out` are written */
export async function writeDividedTexts(divided: ReadonlyMap<string, DividedTexts>, folder: string): Promise<ShrinkTexts> {
  const [calibration, heldOut] = [join(folder, "calibration"), join(folder, "held-out")];
  for (const [language, own] of divided) {
    await writeTexts(join(calibration, `${language}.jsonl`), own.calibration);
    if (own.heldOut.length > 0) await writeTexts(join(heldOut, `${language}.jsonl`), own.heldOut);
  }
  const bytes = new Map(
    [...divided].map(([language, own]) => [language, { calibration: sizeOf(own.calibration), heldOut: sizeOf(own.heldOut) }]),
  );
  return { calibration, heldOut, bytes };
}
