import { at } from "@mbs/contracts";
import { mean } from "@mbs/numbers";
import { markdownTable } from "../pages/blocks.ts";
import { varianceOf } from "./draws.ts";
import { percent, titleOf } from "./languages-rows.ts";
import { mixTitle, withInterval } from "./tables.ts";
import type { AnswersRow, RightAnswers, WrittenLanguage, WrittenRow } from "./row-files.ts";

const meanWritten = (row: WrittenRow, key: keyof WrittenLanguage): number =>
  mean(Object.values(row.languages).map((own) => own[key]));

/**
 * Means over languages of what models write: how far their distributions are from the dense model's, and greedy continuations, whose
 * language is that of their beginning or not.
 */
export function writtenTable(rows: readonly WrittenRow[]): string {
  const lines = rows.map((row) => {
    const [language, { kept }] = at(
      Object.entries(row.languages).sort(([, a], [, b]) => a.kept - b.kept),
      0,
    );
    return [
      titleOf(row.method),
      mixTitle(row.mix),
      meanWritten(row, "kl").toFixed(2),
      percent(meanWritten(row, "same")),
      percent(meanWritten(row, "agrees")),
      percent(meanWritten(row, "kept")),
      `${language} ${percent(kept)}`,
      percent(meanWritten(row, "repeated")),
    ];
  });
  const [first] = rows;
  const kept = first === undefined ? "" : percent(meanWritten(first, "keptByDense"));
  const repeated = first === undefined ? "" : percent(meanWritten(first, "repeatedByDense"));
  const dense = ["dense model", "", "0", "100%", "100%", kept, "", repeated];
  const head = ["method", "mix", "KL", "same token", "agrees", "own language", "least", "repeated"];
  return markdownTable(head, [dense, ...lines], 2);
}

/** Each right answer 1 and each wrong one 0. */
const answersOf = (right: string): number[] => Array.from(right, Number);

/** The mean over languages of the share of right answers. */
const shareOf = (right: RightAnswers): number => mean(Object.values(right).map((own) => mean(answersOf(own))));

/** The mean over languages of paired differences, and its 95% interval over questions, in points. */
function pointsText(own: RightAnswers, other: RightAnswers): string {
  const languages = Object.entries(own).map(([language, right]) => {
    const before = answersOf(other[language] ?? "");
    const differences = answersOf(right).map((value, index) => value - at(before, index));
    return { mean: mean(differences), variance: varianceOf(differences) / differences.length };
  });
  const value = mean(languages.map((language) => language.mean));
  const error = Math.sqrt(languages.reduce((sum, { variance }) => sum + variance, 0)) / languages.length;
  return withInterval((points) => (100 * points).toFixed(1))({ value, interval: [value - 1.96 * error, value + 1.96 * error] });
}

/** How many of 100 questions a model answers right, the mean over languages, beside the dense model and English-only text. */
export function answersTable(rows: readonly AnswersRow[], dense: RightAnswers): string {
  if (rows.length === 0) return "";
  const lines = rows.map(({ method, mix, draw, right }) => {
    const english = rows.find((row) => row.method === method && row.mix === "english" && row.draw === draw);
    const [language, own] = at(
      Object.entries(right).sort(([, a], [, b]) => mean(answersOf(a)) - mean(answersOf(b))),
      0,
    );
    const flips = mean(
      Object.entries(right).map(([tag, answers]) => {
        const before = dense[tag] ?? "";
        return mean(Array.from(answers, (answer, index) => Number(answer !== before[index])));
      }),
    );
    return [
      titleOf(method),
      mixTitle(mix),
      percent(shareOf(right)),
      pointsText(right, dense),
      english === undefined || mix === "english" ? "" : pointsText(right, english.right),
      percent(flips),
      `${language} ${percent(mean(answersOf(own)))}`,
    ];
  });
  const denseLine = ["dense model", "", percent(shareOf(dense)), "", "", "", ""];
  const head = ["method", "mix", "right", "against dense, points", "against English-only", "flips", "least"];
  return markdownTable(head, [denseLine, ...lines], 2);
}
