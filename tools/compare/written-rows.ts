import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { collectScores, openArtifact } from "@mbs/artifacts";
import { collectAnswers, summariseDistances } from "@mbs/evaluation";
import { readRowScores } from "./row-scores.ts";
import { fileStem, scoresFile } from "./rows.ts";
import type { Row } from "./rows.ts";

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
export interface WrittenRow extends Pick<Row, "method" | "mix" | "draw"> {
  readonly languages: Readonly<Record<string, WrittenLanguage>>;
}

/** A line that peers/generation.py prints. */
interface GenerationLine extends Record<"kept" | "repeated" | "agrees", number> {
  readonly model: string;
  readonly language: string;
}

const linesFile = (folder: string, name: string): string => join(folder, "written", `${fileStem(name)}.jsonl`);

/** The folder of what answers.ts has found, in that of the comparison. */
export const answersFolder = "answers";

/** The file there with a model's answers. @param name "gptq-3 equal", or "dense" */
export const answersFile = (name: string): string => join(answersFolder, scoresFile(name));

/** Whether written.ts has looked at a row. */
export const isWritten = (folder: string, name: string): boolean => existsSync(linesFile(folder, name));

const rounded = (value: number): number => Number(value.toFixed(4));

/** What written.ts has found of a row of `folder`. @param name "gptq-3 equal" */
export async function readWritten(folder: string, name: string): Promise<Pick<WrittenRow, "languages">> {
  const scores = await readRowScores(join(folder, "written"), name);
  const lines = (await readFile(linesFile(folder, name), "utf8"))
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as GenerationLine);
  const languages: Record<string, WrittenLanguage> = {};
  for (const { language, kl, agreement } of summariseDistances(scores)) {
    const own = lines.find((line) => line.language === language && line.model !== "dense");
    const dense = lines.find((line) => line.language === language && line.model === "dense");
    if (own === undefined || dense === undefined) throw new Error(`${linesFile(folder, name)} has no ${language}`);
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
export interface AnswersRow extends Pick<Row, "method" | "mix" | "draw"> {
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
export interface DamageRow extends Pick<Row, "method" | "mix" | "draw"> {
  readonly damage: Readonly<Record<string, number>>;
}

/** The damage of a model that damage.ts has looked at; undefined where it has not. @param name "gptq-3 equal" */
export async function readDamageOf(folder: string, name: string): Promise<DamageRow["damage"] | undefined> {
  const path = join(folder, damageFile(name));
  if (!existsSync(path)) return undefined;
  const means = JSON.parse(await readFile(path, "utf8")) as Readonly<Record<string, number>>;
  return Object.fromEntries(Object.entries(means).map(([language, value]) => [language, rounded(value)]));
}
