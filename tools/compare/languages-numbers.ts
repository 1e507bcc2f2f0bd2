/**
 * The committed numbers of mixes over twelve languages: docs/measured/languages.json of Gemma, languages-pages.json of Gemma on other
 * pages (other-pages.ts), languages-smollm2.json.
 */
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { DrawnRow } from "./draws.ts";
import { allMethods, allMixes, replaceRows } from "./rows.ts";
import type { RowKey } from "./rows.ts";
import type { AnswersRow, DamageRow, RightAnswers, WrittenRow } from "./row-files.ts";

/** What a language is for the dense model, by which its losses have other units. */
export interface DenseLanguage {
  /** UTF-8 bytes of a held-out token. */
  readonly bytes: number;
  /** Its loss, nats a token. */
  readonly nats: number;
}

export interface LanguagesNumbers {
  /** The dense model on the same windows. */
  readonly dense: Readonly<Record<string, DenseLanguage>>;
  readonly rows: readonly DrawnRow[];
  /** What some of them do to the dense model's outputs: tools/compare/damage.ts. */
  readonly damage: readonly DamageRow[];
  /** What some of them write: tools/compare/written.ts. */
  readonly written: readonly WrittenRow[];
  /** What some of them answer, and the dense model: tools/compare/answers.ts. */
  readonly answers: { readonly dense: RightAnswers; readonly rows: readonly AnswersRow[] };
}

/** The files in docs/measured of what mixes were measured on. */
const files = { gemma: "languages.json", "gemma-pages": "languages-pages.json", smollm2: "languages-smollm2.json" } as const;

/** A model and held-out pages with numbers. */
export type Measured = keyof typeof files;

export const allMeasured = Object.keys(files) as readonly Measured[];

const pathOf = (measured: Measured): string => fileURLToPath(new URL(`../../docs/measured/${files[measured]}`, import.meta.url));

export const readLanguagesNumbers = async (measured: Measured): Promise<LanguagesNumbers> =>
  JSON.parse(await readFile(pathOf(measured), "utf8")) as LanguagesNumbers;

/** Whether two dense models are one, on the same texts: processors differ in the last digits. */
export const isSameDense = (own: LanguagesNumbers["dense"], other: LanguagesNumbers["dense"]): boolean =>
  Object.entries(other).every(([language, { nats }]) => Math.abs((own[language]?.nats ?? NaN) / nats - 1) < 1e-3);

/** Rows with those that were made again; in the order of methods, mixes and draws. */
export function renewed<R extends RowKey>(old: readonly R[], made: readonly R[]): readonly R[] {
  const [methods, mixes] = [Object.keys(allMethods), Object.keys(allMixes)];
  return [...replaceRows(old, made)].sort(
    (a, b) =>
      methods.indexOf(a.method) - methods.indexOf(b.method) || mixes.indexOf(a.mix) - mixes.indexOf(b.mix) || a.draw - b.draw,
  );
}

const lines = (list: readonly object[]): string =>
  list.length === 0 ? "[]" : `[\n${list.map((row) => JSON.stringify(row)).join(",\n")}\n]`;

/** A line a row, so that rows are compared by version control. */
export async function writeLanguagesNumbers(measured: Measured, numbers: LanguagesNumbers): Promise<void> {
  const { dense, rows, damage, written, answers } = numbers;
  const parts = [
    `"dense":${JSON.stringify(dense)}`,
    `"rows":${lines(rows)}`,
    `"damage":${lines(damage)}`,
    `"written":${lines(written)}`,
    `"answers":{"dense":${JSON.stringify(answers.dense)},"rows":${lines(answers.rows)}}`,
  ];
  await writeFile(pathOf(measured), `{${parts.join(",")}}\n`);
}
