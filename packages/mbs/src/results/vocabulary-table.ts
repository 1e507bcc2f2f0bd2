import { formatBytes } from "@mbs/contracts";
import { formatRise, formatShare, formatTable, headings, wrapLines } from "@mbs/reporting";
import { wholeSize } from "@mbs/trimming";
import type { ComparedText, PartSizes, VocabularyReport } from "@mbs/trimming";

const count = (number: number): string => number.toLocaleString("en");

/** "5.13 → 4.98", or the first alone; "no text" where there is no token. */
function bytesPerToken({ bytesPerToken: before, trimmed }: ComparedText): string {
  if (before === undefined) return "no text";
  const after = trimmed?.bytesPerToken;
  return after === undefined ? before.toFixed(2) : `${before.toFixed(2)} → ${after.toFixed(2)}`;
}

/** How many more tokens there are, where there were any: a few more are not shown as none. */
function moreTokens({ trimmed }: ComparedText): string {
  const more = trimmed?.moreTokens;
  if (more === undefined) return "–";
  if (more <= 0 || more >= 0.0005) return formatRise(more);
  return more < 0.0001 ? "< 0.01%" : `+${(more * 100).toFixed(2)}%`;
}

function comparedTable(languages: readonly ComparedText[]): string {
  return formatTable({
    columns: headings(["language", "kept"], ["texts", "bytes a token", "tokens"]),
    rows: languages.map((own) => [
      own.language,
      own.isKept ? "yes" : "no",
      count(own.texts),
      bytesPerToken(own),
      moreTokens(own),
    ]),
  });
}

function languagesTable({ languages, trimmed }: VocabularyReport): string {
  return formatTable({
    columns: headings(
      ["language", ...(trimmed ? ["kept"] : [])],
      ["text", "rows", "its own", "bytes a token", ...(trimmed ? ["tokens", "of kept rows"] : [])],
    ),
    rows: languages.map((own) => [
      own.language,
      ...(trimmed ? [own.isKept ? "yes" : "no"] : []),
      formatBytes(own.bytes),
      count(own.rows),
      count(own.ownRows),
      bytesPerToken(own),
      ...(own.trimmed ? [moreTokens(own), own.covered === undefined ? "–" : formatShare(own.covered)] : []),
    ]),
  });
}

const sizeRows = (before: PartSizes, after: PartSizes): string[][] =>
  (["embedding", "head", "blocks"] as const).map((part) =>
    before[part] === 0
      ? [part, "the embedding", ""]
      : [part, formatBytes(before[part]), before[part] === after[part] ? "the same" : formatBytes(after[part])],
  );

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

/** How many texts of kept languages are the same tokens as before: "614 of the 614". */
function sameTexts(languages: readonly ComparedText[]): string {
  const kept = languages.filter(({ isKept }) => isKept);
  const same = sum(kept.map(({ trimmed }) => trimmed?.sameTexts ?? 0));
  return `${count(same)} of the ${count(sum(kept.map(({ texts }) => texts)))}`;
}

/** Which texts are the same tokens as before, and which come back otherwise than from the source's tokenizer. */
function textsNote({ languages: own, heldOut }: VocabularyReport): string {
  const changed = [...own, ...(heldOut?.languages ?? [])].filter(({ trimmed }) => (trimmed?.changedTexts ?? 0) > 0);
  const list = changed.map(({ language, trimmed }) => `${language} ${trimmed?.changedTexts}`).join(", ");
  return [
    `${sameTexts(own)} texts of kept languages in the corpus are the same tokens as before.`,
    ...(heldOut ? [`${sameTexts(heldOut.languages)} held-out texts of kept languages are the same tokens as before.`] : []),
    changed.length === 0
      ? "All texts, also of other languages, decode to what they decoded to before."
      : `Texts that do not decode to what they decoded to before: ${list}.`,
  ].join(" ");
}

const paragraph = (text: string): string => `${wrapLines(text, "", "  ").join("\n")}\n`;

/** The report as text for a terminal. */
export function vocabularyTable(report: VocabularyReport): string {
  const { rows, sizes, trimmed, heldOut } = report;
  if (trimmed === undefined) {
    return [
      languagesTable(report),
      paragraph(`The vocabulary has ${count(rows)} rows; name languages with --keep to see what goes without the others.`),
    ].join("\n");
  }
  const { reasons, keep } = trimmed;
  const saved = wholeSize(sizes) - wholeSize(trimmed.sizes);
  return [
    languagesTable(report),
    paragraph(
      `Kept for ${keep.join(", ")}: ${count(trimmed.rows)} of ${count(rows)} rows, ${formatShare(trimmed.rows / rows)}. ` +
        `${count(reasons.texts)} are in their texts, ${count(reasons.merges)} are what these are merged from, ` +
        `${count(reasons.alphabet)} bytes or characters, ${count(reasons.added)} added tokens, ` +
        `${count(reasons.named + reasons.template)} of configurations and chat template, ${count(reasons.rounding)} to fill up.`,
    ),
    formatTable({
      columns: headings(["part"], ["before", "after"]),
      rows: [
        ...sizeRows(sizes, trimmed.sizes),
        ["all", formatBytes(wholeSize(sizes)), `${formatBytes(wholeSize(trimmed.sizes))}, ${formatBytes(saved)} less`],
      ],
    }),
    ...(heldOut ? [`Held-out texts, ${heldOut.corpus}:\n`, comparedTable(heldOut.languages)] : []),
    paragraph(textsNote(report)),
  ].join("\n");
}
