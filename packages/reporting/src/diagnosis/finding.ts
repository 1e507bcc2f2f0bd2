import type { Interval } from "@mbs/evaluation";

/** A relative rise of perplexity with its 95% interval. */
export interface MeasuredRise {
  readonly rise: number;
  readonly interval: Interval;
}

/** A number that a finding rests on. */
export interface Evidence {
  readonly what: string;
  readonly unit: "rise" | "share" | "tokens" | "degrees" | "correlation" | "p-value" | "factor" | "nats";
  readonly value: number;
  /** 95%; with several seeds the hull of theirs. */
  readonly interval?: Interval;
  /** Whether the finding claims this: its interval excludes zero (or what it is compared with), with every seed. */
  readonly significant: boolean;
}

/** What to do about a finding. */
export interface Remedy {
  readonly text: string;
  /** To run; words in capitals stand for the reader's own paths. */
  readonly command: string;
}

/** The command that shows at which sites a scored model hurts which language. */
export function predictCommand(model: string): string {
  // A name that a shell would split is left to the reader.
  const label = /^[\w./:-]+$/.test(model) ? model : "LABEL";
  return `mbs predict --model M --layers layers.arrow --scores scores.arrow --compressed ${label} < statistics.arrow`;
}

/** The paper's failure signatures, and a further one: tasks that fall where perplexity does not show it. */
export type Signature =
  "mix-worse-than-one-language" | "rare-language-falls" | "methods-disagree" | "distribution-does-not-fit" | "tasks-fall-unseen";

/** A failure signature that results show. */
export interface Finding {
  readonly signature: Signature;
  /** One sentence. */
  readonly title: string;
  readonly texts: readonly string[];
  /** Names in the scores. */
  readonly models: readonly string[];
  readonly languages: readonly string[];
  readonly evidence: readonly Evidence[];
  readonly remedy: Remedy;
}

/** Mean of several seeds' rises, with the hull of their intervals. */
export function overSeeds(rises: readonly MeasuredRise[]): MeasuredRise {
  return {
    rise: rises.reduce((sum, { rise }) => sum + rise, 0) / rises.length,
    interval: [Math.min(...rises.map(({ interval }) => interval[0])), Math.max(...rises.map(({ interval }) => interval[1]))],
  };
}

/** Whether the interval of every seed lies above zero. */
export const aboveZero = (rises: readonly MeasuredRise[]): boolean =>
  rises.length > 0 && rises.every(({ interval: [low] }) => low > 0);

/** Whether the interval of every seed lies below zero. */
export const belowZero = (rises: readonly MeasuredRise[]): boolean =>
  rises.length > 0 && rises.every(({ interval: [, high] }) => high < 0);
