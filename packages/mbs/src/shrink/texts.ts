import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { makeFolder, writeAtomically } from "@mbs/artifacts";
import { BadDataError, InterruptedError } from "@mbs/contracts";
import type { OpenChat } from "@mbs/contracts";
import type { Corpus, CorpusDocument } from "@mbs/corpora";
import { refuseChanged } from "@mbs/pipeline";

/** Of so many documents, the last is held out. */
const heldOutEvery = 4;

/** UTF-8 bytes of calibration text of a language that are read at most; enough for hundreds of segments. */
const mostBytes = 4_000_000;

/** Characters of a piece where a language has fewer documents than that. */
const pieceLength = 2000;

/** UTF-8 bytes of a piece of held-out text: about a window of most tokenizers in most scripts. */
const heldOutPieceBytes = 1000;

/** A text, or a conversation with the text that the model reads. */
export type SharedText = Pick<CorpusDocument, "text" | "conversation">;

/** The texts of one language, in two parts that have no document in common. */
export interface DividedTexts {
  readonly calibration: readonly SharedText[];
  readonly heldOut: readonly SharedText[];
}

/**
 * Cuts a text into pieces of so many UTF-16 units, or fewer: where a sentence or word ends, or, in a script without spaces, anywhere. A
 * conversation stays whole.
 */
function piecesOf({ text, conversation }: SharedText, length: number): SharedText[] {
  if (conversation !== undefined) return [{ text, conversation }];
  const pieces: SharedText[] = [];
  let rest = text;
  const half = Math.floor(length / 2);
  while (rest.length > length) {
    const found = rest.slice(half, length).search(/[\s。！？।。](?=[^\s。！？।。]*$)/);
    const end = found < 0 ? length : half + found + 1;
    // not between the two halves of a character
    const cut = /[\uD800-\uDBFF]$/.test(rest.slice(0, end)) ? end - 1 : end;
    pieces.push({ text: rest.slice(0, cut) });
    rest = rest.slice(cut).trimStart();
  }
  return rest === "" ? pieces : [...pieces, { text: rest }];
}

/** Where the document of a number stands among those that are scored: shuffled, without a seed. */
const shuffledPlace = (index: number): string => createHash("sha256").update(String(index)).digest("hex");

/**
 * Cuts held-out documents into pieces and orders them: the first pieces of all before all second ones, documents shuffled in the same
 * way in every language. The first windows are scored, which are so of many documents. A piece that comes twice counts once, such as
 * a head that all pages have.
 *
 * @param documents by their number in the corpus
 */
function spreadOut(documents: ReadonlyMap<number, SharedText>): readonly SharedText[] {
  const seen = new Set<string>();
  return [...documents]
    .flatMap(([index, document]) => {
      const place = shuffledPlace(index);
      const length = Math.ceil((heldOutPieceBytes * document.text.length) / Math.max(1, Buffer.byteLength(document.text)));
      return piecesOf(document, length).map((piece, part) => ({ piece, part, place }));
    })
    .sort((one, other) => one.part - other.part || (one.place < other.place ? -1 : 1))
    .flatMap(({ piece }) => {
      const text = piece.text.trim();
      if (seen.has(text)) return [];
      seen.add(text);
      return [piece];
    });
}

/**
 * Divides documents by their number, so that translations that stand at the same place go to the same part. Of documents that
 * come twice the first counts.
 */
export function divideTexts(documents: readonly SharedText[]): DividedTexts {
  const pieces = documents.length >= heldOutEvery ? documents : documents.flatMap((document) => piecesOf(document, pieceLength));
  const seen = new Set<string>();
  const divided = { calibration: new Array<SharedText>(), heldOut: new Map<number, SharedText>() };
  for (const [index, piece] of pieces.entries()) {
    const { text } = piece;
    const digest = createHash("sha256").update(text.trim()).digest("base64");
    if (text.trim() === "" || seen.has(digest)) continue;
    seen.add(digest);
    if (index % heldOutEvery === heldOutEvery - 1) divided.heldOut.set(index, piece);
    else divided.calibration.push(piece);
  }
  return { ...divided, heldOut: spreadOut(divided.heldOut) };
}

/** Documents of a language, up to so many bytes. */
async function readDocuments(
  corpus: Corpus,
  language: string,
  chat: OpenChat | undefined,
  signal: AbortSignal,
): Promise<SharedText[]> {
  const documents: SharedText[] = [];
  let bytes = 0;
  for await (const { text, conversation } of corpus.documents(language, chat)) {
    if (signal.aborted) throw new InterruptedError("shrink: stopped");
    documents.push({ text, ...(conversation && { conversation }) });
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

const sizeOf = (texts: readonly SharedText[]): number => texts.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0);

const linesOf = (texts: readonly SharedText[]): string =>
  texts.map(({ text, conversation }) => `${JSON.stringify(conversation ?? { text })}\n`).join("");

/** What a file holds; undefined where it is missing, and "" where something else is there. */
const contentOf = (path: string): Promise<string | undefined> =>
  readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => (error.code === "ENOENT" ? undefined : ""));

/** Where texts are from. */
export interface TextSources {
  readonly corpus: Corpus;
  /** Texts of the same kind that are held out; absent where a part of the corpus is. */
  readonly heldOut: Corpus | undefined;
  /** Of the model; absent where no text is a conversation. */
  readonly chat?: OpenChat;
}

/**
 * The texts of some languages in two parts, one to calibrate with and one to score on.
 *
 * @param names of the languages in the texts, by tag
 * @returns by tag; nothing is held out of a language of which `heldOut` has no texts
 * @throws {BadDataError} for a language that has too little text for both, or where there is nothing to score on
 */
export async function divideCorpus(
  { corpus, heldOut, chat }: TextSources,
  names: ReadonlyMap<string, string>,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, DividedTexts>> {
  const divided = new Map<string, DividedTexts>();
  for (const [tag, name] of names) {
    const documents = await readDocuments(corpus, name, chat, signal);
    if (heldOut === undefined) {
      divided.set(tag, divideTexts(documents));
    } else {
      const isThere = heldOut.languages.includes(name);
      divided.set(tag, {
        calibration: documents,
        heldOut: isThere ? spreadOut(new Map((await readDocuments(heldOut, name, chat, signal)).entries())) : [],
      });
    }
  }
  const short = [...divided].find(
    ([, own]) => own.calibration.length === 0 || (heldOut === undefined && own.heldOut.length === 0),
  );
  if (short !== undefined) {
    throw new BadDataError(
      `the texts of ${short[0]} are too short: one part calibrates, and another is kept to score on; give at least a few pages of it`,
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

/** One part of the texts as a corpus that is not written yet. */
export const dividedCorpus = (divided: ReadonlyMap<string, DividedTexts>, part: keyof DividedTexts): Corpus => ({
  name: part,
  license: undefined,
  languages: [...divided.keys()],
  files: [],
  address: Promise.resolve(""),
  async *documents(language) {
    for (const document of divided.get(language)?.[part] ?? []) yield { ...document, source: "" };
  },
});

/** What tells some texts from others, for the name of their folder. */
function contentName(divided: ReadonlyMap<string, DividedTexts>): string {
  const hash = createHash("sha256");
  for (const [language, { calibration, heldOut }] of divided) {
    hash.update(`${language}\n${linesOf(calibration)}\n${linesOf(heldOut)}\n`);
  }
  return hash.digest("hex").slice(0, 12);
}

/**
 * Where both parts of texts stand, in a folder that is named after their content: what another run reads stays as it is.
 *
 * @param folder that holds that folder
 */
export function textsIn(divided: ReadonlyMap<string, DividedTexts>, folder: string): ShrinkTexts {
  const own = join(folder, contentName(divided));
  const bytes = new Map(
    [...divided].map(([language, texts]) => [
      language,
      { calibration: sizeOf(texts.calibration), heldOut: sizeOf(texts.heldOut) },
    ]),
  );
  return { calibration: join(own, "calibration"), heldOut: join(own, "held-out"), bytes };
}

/**
 * Writes both parts where they are to stand.
 *
 * @throws {BadDataError} naming all files there that hold something else: their folder is named after what they are to hold
 */
export async function writeDividedTexts(
  divided: ReadonlyMap<string, DividedTexts>,
  { calibration, heldOut }: Pick<ShrinkTexts, "calibration" | "heldOut">,
): Promise<void> {
  const files = [...divided].flatMap(([language, texts]) => [
    { path: join(calibration, `${language}.jsonl`), content: linesOf(texts.calibration) },
    ...(texts.heldOut.length === 0 ? [] : [{ path: join(heldOut, `${language}.jsonl`), content: linesOf(texts.heldOut) }]),
  ]);
  const changed: string[] = [];
  for (const { path, content } of files) {
    const found = await contentOf(path);
    if (found !== undefined && found !== content) changed.push(path);
    if (found !== undefined) continue;
    await makeFolder(dirname(path));
    await writeAtomically(path, [Buffer.from(content)]);
  }
  if (changed.length > 0) refuseChanged(changed, changed);
}
