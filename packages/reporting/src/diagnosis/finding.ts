import type { Interval } from "@mbs/evaluation";
import type { TestedCorrelation } from "@mbs/numbers";
import { overSeeds } from "./rises.ts";
import type { MeasuredRise } from "./rises.ts";

/** A number that a finding rests on. */
export interface Evidence {
  readonly what: string;
  readonly unit: "rise" | "share" | "tokens" | "degrees" | "correlation" | "p-value" | "factor";
  readonly value: number;
  /** 95%; with several seeds the hull of theirs. */
  readonly interval?: Interval;
  /** Whether the finding claims this: its interval excludes zero (or what it is compared with), with every seed. */
  readonly significant: boolean;
}

/** What to do about a finding. */
export interface Remedy {
  readonly text: string;
  /** To run; words in capitals stand for the reader's own paths, and no other file is read. */
  readonly command: string;
}

/** The paper's failure signatures, and two further ones: tasks that fall where perplexity does not show it, and any large loss. */
export type Signature =
  | "mix-worse-than-one-language"
  | "rare-language-falls"
  | "methods-disagree"
  | "distribution-does-not-fit"
  | "tasks-fall-unseen"
  | "language-loses-much";

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

/** Rises as a number that a finding rests on; nothing where there are none. */
export function riseEvidence(what: string, rises: readonly MeasuredRise[], significant: boolean): Evidence[] {
  if (rises.length === 0) return [];
  const { rise: value, interval } = overSeeds(rises);
  return [{ what, unit: "rise", value, interval, significant }];
}

/** A correlation and its p-value as numbers that a finding rests on; nothing where there is none, since JSON knows no NaN. */
export const correlationEvidence = (what: string, { value, p }: TestedCorrelation, significant: boolean): Evidence[] =>
  Number.isNaN(value)
    ? []
    : [
        { what, unit: "correlation", value, significant },
        { what: "as strong a correlation by chance", unit: "p-value", value: p, significant },
      ];

/** The command that shows at which sites a scored model hurts which language. */
export function predictCommand(model: string): string {
  // A name that a shell would split is left to the reader.
  const label = /^[\w./:-]+$/.test(model) ? model : "LABEL";
  return `mbs predict --model M --layers LAYERS --scores SCORES --compressed ${label} < STATISTICS`;
}
