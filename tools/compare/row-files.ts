/** What tools/compare/run.ts, and the scripts that look at its rows, leave in the folder of a comparison. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { collect, collectScores, openArtifact, readScores } from "@mbs/artifacts";
import type { Score } from "@mbs/artifacts";
import { collectAnswers, summariseDistances } from "@mbs/evaluation";
import { fileStem } from "./rows.ts";
import type { RowKey } from "./rows.ts";

/** The file name of a row's scores. @param name "gptq-3 equal", or "dense" */
export const scoresFile = (name: string): string => `${fileStem(name)}.scores.arrow`;

export const readRowScores = async (folder: string, name: string): Promise<Score[]> =>
  collect(readScores(await openArtifact(join(folder, scoresFile(name)))));

/** What a row took on the machine of the comparison. */
export interface Spent {
  readonly seconds: number;
  /** Of all threads, which other programs on the machine change less. */
  readonly processorSeconds: number;
  readonly peakBytes: number;
  /** Bytes of the GGUF file that was written, where it is one. */
  readonly fileBytes?: number;
}

/** The file with what each row took, of those that were never stopped: a line of JSON a row, `name` and `spent`. */
export const spentFile = "spent.jsonl";

/** What each row took. */
export async function readSpent(folder: string): Promise<ReadonlyMap<string, Spent>> {
  const path = join(folder, spentFile);
  if (!existsSync(path)) return new Map();
  const lines = (await readFile(path, "utf8")).split("\n").filter((text) => text !== "");
  return new Map(
    lines.map((line) => {
      const { name, spent } = JSON.parse(line) as { readonly name: string; readonly spent: Spent };
      return [name, spent];
    }),
  );
}

/** What a model writes in a language, beside the dense model: shares from 0 to 1, but for `kl`. */
export interface WrittenLanguage {
  /** KL(dense ‖ model), nats a token. */
  readonly kl: number;
  /** Tokens whose most likely successor is the dense model's. */
  readonly same: number;
  /** Continuations in the language of their beginning, and those of the dense model. */
  readonly kept: number;
  readonly keptByDense: number;
  /** 4-grams of tokens that stood in the same continuation before, and those of the dense model. */
  readonly repeated: number;
  readonly repeatedByDense: number;
  /** Tokens before the first one that the dense model writes otherwise. */
  readonly agrees: number;
}

/** What one compressed model writes, by language. */
export interface WrittenRow extends RowKey {
  readonly languages: Readonly<Record<string, WrittenLanguage>>;
}

/** A line that peers/generation.py prints. */
interface GenerationLine extends Record<"kept" | "repeated" | "agrees", number> {
  readonly model: string;
  readonly language: string;
}

/** The folder of what written.ts has found, in that of the comparison. */
export const writtenFolder = "written";

/** The file there with how a model's continuations are. @param name "gptq-3 equal" */
export const continuationsFile = (name: string): string => join(writtenFolder, `${fileStem(name)}.jsonl`);

/** The folder of what answers.ts has found, in that of the comparison. */
export const answersFolder = "answers";

/** The file there with a model's answers. @param name "gptq-3 equal", or "dense" */
export const answersFile = (name: string): string => join(answersFolder, scoresFile(name));

/** Whether written.ts has looked at a row. */
export const isWritten = (folder: string, name: string): boolean => existsSync(join(folder, continuationsFile(name)));

const rounded = (value: number): number => Number(value.toFixed(4));

/** What written.ts has found of a row of `folder`. @param name "gptq-3 equal" */
export async function readWritten(folder: string, name: string): Promise<Pick<WrittenRow, "languages">> {
  const scores = await readRowScores(join(folder, writtenFolder), name);
  const lines = (await readFile(join(folder, continuationsFile(name)), "utf8"))
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as GenerationLine);
  const languages: Record<string, WrittenLanguage> = {};
  for (const { language, kl, agreement } of summariseDistances(scores)) {
    const own = lines.find((line) => line.language === language && line.model !== "dense");
    const dense = lines.find((line) => line.language === language && line.model === "dense");
    if (own === undefined || dense === undefined) throw new Error(`${continuationsFile(name)} has no ${language}`);
    languages[language] = {
      kl: rounded(kl),
      same: rounded(agreement),
      kept: rounded(own.kept),
      keptByDense: rounded(dense.kept),
      repeated: rounded(own.repeated),
      repeatedByDense: rounded(dense.repeated),
      agrees: rounded(own.agrees),
    };
  }
  return { languages };
}

/** What one compressed model, or the dense one, answers in each language: 1 for each right answer and 0 for each wrong one. */
export type RightAnswers = Readonly<Record<string, string>>;

/** What one compressed model answers. */
export interface AnswersRow extends RowKey {
  readonly right: RightAnswers;
}

/** The answers of a model that answers.ts has asked; undefined where it has not. @param name "gptq-3 equal", or "dense" */
export async function readAnswers(folder: string, name: string): Promise<RightAnswers | undefined> {
  const path = join(folder, answersFile(name));
  if (!existsSync(path)) return undefined;
  const { tasks } = await collectScores(await openArtifact(path));
  const answers = collectAnswers(tasks, () => ["acc"]);
  return Object.fromEntries(answers.map(({ language, byMetric }) => [language, (byMetric.get("acc")?.right ?? []).join("")]));
}

/** The folder of what damage.ts has found, in that of the comparison. */
export const damageFolder = "damage";

/** The file there with a model's damage. @param name "gptq-3 equal" */
export const damageFile = (name: string): string => join(damageFolder, `${fileStem(name)}.json`);

/** What one compressed model does to each language: the mean damage of its tensors. */
export interface DamageRow extends RowKey {
  readonly damage: Readonly<Record<string, number>>;
}

/** The damage of a model that damage.ts has looked at; undefined where it has not. @param name "gptq-3 equal" */
export async function readDamageOf(folder: string, name: string): Promise<DamageRow["damage"] | undefined> {
  const path = join(folder, damageFile(name));
  if (!existsSync(path)) return undefined;
  const means = JSON.parse(await readFile(path, "utf8")) as Readonly<Record<string, number>>;
  return Object.fromEntries(Object.entries(means).map(([language, value]) => [language, rounded(value)]));
}
