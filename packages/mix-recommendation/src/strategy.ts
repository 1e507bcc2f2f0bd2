import { InputOutputError, InternalError, UsageError, parseLanguageMix, quoted } from "@mbs/contracts";
import type { LanguageMix } from "@mbs/contracts";
import { alphaBounds, parseAlpha, readDistribution, sharesOf } from "@mbs/corpora";
import type { Distribution, Mix } from "@mbs/corpora";
import { tidyMix } from "./mix-weights.ts";

type Candidate = Extract<Mix, { kind: "proportional" | "equal" | "temperature" }>;

/** Shares to this power are compared where no other is asked for: how XLM-R and mT5 sample. */
const usualTemperature: Candidate = { kind: "temperature", alpha: 0.3 };
const forms = "minimax, target, proportional, equal or temperature:ALPHA";

/** What a search lowers. */
export type Search =
  | { readonly kind: "minimax" }
  /** The importance of every language. */
  | { readonly kind: "target"; readonly importance: LanguageMix };

/** A search before the languages are known. */
export type AskedSearch =
  | { readonly kind: "minimax" }
  /** The importances that were named. */
  | { readonly kind: "target"; readonly named: LanguageMix };

/** What is recommended: the result of a search, or one of the candidates. */
export interface Strategy {
  readonly name: string;
  /** Absent where a candidate is asked for. */
  readonly search: AskedSearch | undefined;
  /** The mixes to compare with, by name. */
  readonly candidates: ReadonlyMap<string, Candidate>;
}

/** The name of a candidate, as `--strategy` and `mbs sample --mix` take it. */
const nameOf = (mix: Candidate): string => (mix.kind === "temperature" ? `temperature:${mix.alpha}` : mix.kind);

function parseSearch(name: string, importance: string | undefined): AskedSearch | undefined {
  if ((name === "target") !== (importance !== undefined)) {
    throw new UsageError("--strategy target and --importance go together", { option: "--importance" });
  }
  if (importance !== undefined) return { kind: "target", named: parseLanguageMix(importance, "--importance") };
  return name === "minimax" ? { kind: "minimax" } : undefined;
}

function parseCandidate(name: string): Candidate {
  if (name === "proportional" || name === "equal") return { kind: name };
  const [, power] = /^temperature:(.*)$/.exec(name) ?? [];
  const alpha = power === undefined ? undefined : parseAlpha(power);
  if (alpha !== undefined) return { kind: "temperature", alpha };
  const reason = power === undefined ? "" : `: ALPHA must be ${alphaBounds}`;
  throw new UsageError(`--strategy takes ${forms}, not ${quoted(name)}${reason}`, { option: "--strategy" });
}

/**
 * @param importance text of the option, for `target`
 * @throws {UsageError} on any other form
 */
export function parseStrategy(name: string, importance?: string): Strategy {
  const search = parseSearch(name, importance);
  const asked = search === undefined ? parseCandidate(name) : undefined;
  const temperature = asked?.kind === "temperature" ? asked : usualTemperature;
  const candidates: readonly Candidate[] = [{ kind: "proportional" }, { kind: "equal" }, temperature];
  return {
    name: asked?.kind === "temperature" ? nameOf(asked) : name,
    search,
    candidates: new Map(candidates.map((mix) => [nameOf(mix), mix])),
  };
}

/**
 * The search among the languages that were captured. Those whose importance was not named have 1.
 *
 * @throws {UsageError} on a language that was not captured
 */
export function searchAmong(languages: readonly string[], asked: AskedSearch): Search {
  if (asked.kind === "minimax") return asked;
  const { named } = asked;
  const unknown = [...named.keys()].filter((language) => !languages.includes(language));
  if (unknown.length > 0) {
    throw new UsageError(`--importance names ${unknown.join(", ")}; the statistics have ${languages.join(", ")}`, {
      option: "--importance",
    });
  }
  return { kind: "target", importance: new Map(languages.map((language) => [language, named.get(language) ?? 1])) };
}

/**
 * The training mixture.
 *
 * @param given what the user named
 * @param model folder that may hold one
 * @returns undefined where nothing was named and the model has none
 */
export async function findDistribution(given: string | undefined, model: string): Promise<Distribution | undefined> {
  try {
    return await readDistribution(given ?? model);
  } catch (error) {
    if (given === undefined && error instanceof InputOutputError) return undefined;
    throw error;
  }
}

/**
 * The mixes that can be compared without a search. Those of the training mixture are left out where it is not known.
 *
 * @param languages of the statistics
 * @throws {UsageError} where the mix that is asked for needs a training mixture
 */
export async function candidateMixes(
  { name, candidates }: Strategy,
  languages: readonly string[],
  distribution: Distribution | undefined,
  warn: (message: string) => void,
): Promise<ReadonlyMap<string, LanguageMix>> {
  const told = new Set<string>();
  const sources = {
    languages,
    origin: "the statistics saw",
    distribution: async () => distribution ?? Promise.reject(new InternalError("mix: no distribution was read")),
    tokensPerByte: () => Promise.resolve(1),
    warn: (message: string) => told.add(message),
  };
  const mixes = new Map<string, LanguageMix>();
  for (const [candidate, mix] of candidates) {
    if (mix.kind !== "equal" && distribution === undefined) {
      if (candidate !== name) continue;
      throw new UsageError(`--strategy ${name} needs a training mixture; name one with --distribution`, { option: "--strategy" });
    }
    const shares = await sharesOf(mix, sources);
    mixes.set(candidate, tidyMix(new Map(languages.map((language) => [language, shares.get(language) ?? 0]))));
  }
  if (distribution === undefined)
    warn("the model has no distribution.json; only equal weights are compared, name --distribution");
  if (distribution?.unit === "bytes") {
    warn(`the shares of ${distribution.name} are of bytes and taken as shares of tokens here, since no text is at hand`);
  }
  for (const message of told) warn(message);
  return mixes;
}
