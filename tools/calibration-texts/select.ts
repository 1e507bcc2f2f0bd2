import { createHash } from "node:crypto";
import type { Part, TextSource } from "../../packages/calibration-texts/src/sources.ts";
import { paragraphKey } from "./clean.ts";

/** A paragraph or a string, with the page that it is from. */
export interface Paragraph {
  readonly page: string;
  readonly text: string;
  /** Characters of its English source, which are the same in every language; 0 for prose. */
  readonly englishLength: number;
}

export interface TextDocument {
  readonly page: string;
  readonly text: string;
}

/** One page of five is held out. */
const heldOutBytes = 51;
/** Documents end at the first paragraph behind this many bytes: the sampler reads only the beginning of long ones. */
const documentBytes = 3000;

/** Most bytes of a language from one source. */
const most: Readonly<Record<TextSource["tier"], Readonly<Record<Part, number>>>> = {
  prose: { calibration: 96_000, "held-out": 48_000 },
  interface: { calibration: 32_000, "held-out": 16_000 },
};

const hashOf = (source: TextSource, page: string): Buffer => createHash("sha256").update(`${source.name}/${page}`).digest();

/** By the page's name alone, so that it is in the same part in every language. */
export const partOf = (source: TextSource, page: string): Part =>
  source.heldOut && hashOf(source, page).readUInt8(0) < heldOutBytes ? "held-out" : "calibration";

const bytesOf = (text: string): number => Buffer.byteLength(text);

/** The order in which paragraphs are taken: pages of prose by hash, whole; strings of an interface by length. */
function takingOrder(source: TextSource, paragraphs: readonly Paragraph[]): readonly Paragraph[] {
  if (source.tier === "interface") return paragraphs.toSorted((a, b) => b.englishLength - a.englishLength);
  const ranks = new Map(paragraphs.map(({ page }) => [page, source.heldOut ? hashOf(source, page).toString("hex", 1) : page]));
  const rank = ({ page }: Paragraph): string => ranks.get(page) ?? "";
  return paragraphs.toSorted((a, b) => (rank(a) < rank(b) ? -1 : rank(a) > rank(b) ? 1 : 0));
}

/** Neighbours of a page are a document, in an interface those of a module: the first part of the page's name. */
const unitOf = ({ tier }: TextSource, page: string): string => (tier === "interface" ? (page.split("/")[0] ?? page) : page);

function documentsOf(source: TextSource, paragraphs: readonly Paragraph[]): TextDocument[] {
  const documents: TextDocument[] = [];
  let page: string | undefined;
  let texts: string[] = [];
  let bytes = 0;
  const end = (): void => {
    if (page !== undefined && texts.length > 0) documents.push({ page, text: texts.join("\n") });
    texts = [];
    bytes = 0;
  };
  for (const paragraph of paragraphs) {
    // articles of the declaration are short, and one text
    const unit = source.heldOut ? unitOf(source, paragraph.page) : source.name;
    if (unit !== page || bytes >= documentBytes) end();
    page = unit;
    texts.push(paragraph.text);
    bytes += bytesOf(paragraph.text) + 1;
  }
  end();
  return documents;
}

/**
 * Documents of one language, source and part, up to the most bytes. A paragraph that was `seen` in the language is left out,
 * one that is taken is seen from then on.
 */
export function selectDocuments(
  source: TextSource,
  part: Part,
  paragraphs: readonly Paragraph[],
  seen: Set<string>,
): readonly TextDocument[] {
  const taken = new Set<Paragraph>();
  let bytes = 0;
  const ordered = takingOrder(
    source,
    paragraphs.filter(({ page }) => partOf(source, page) === part),
  );
  for (const paragraph of ordered) {
    const key = paragraphKey(paragraph.text);
    if (seen.has(key)) continue;
    const size = bytesOf(paragraph.text) + 1;
    if (bytes + size > most[source.tier][part]) break;
    seen.add(key);
    taken.add(paragraph);
    bytes += size;
  }
  return documentsOf(
    source,
    // prose in the order of taking is whole pages already; strings go back to where their program has them
    (source.tier === "interface" ? paragraphs : ordered).filter((paragraph) => taken.has(paragraph)),
  );
}
