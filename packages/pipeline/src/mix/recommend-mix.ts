import { damagesOf } from "@mbs/artifacts";
import { BadDataError, InternalError, InterruptedError } from "@mbs/contracts";
import type { LanguageMix, StageContext } from "@mbs/contracts";
import { minimax, target } from "./goals.ts";
import type { Goal, Trial } from "./goals.ts";
import { searchMix } from "./mix-search.ts";
import type { SearchEnd } from "./mix-search.ts";
import { runTrial } from "./mix-trial.ts";
import type { TrialSetting } from "./mix-trial.ts";
import { tidyMix } from "./mix-weights.ts";
import type { Strategy } from "./strategy.ts";

/** What the search took, measured. */
export interface MixCost {
  /** Mixes tried. */
  readonly trials: number;
  /** Seconds of all trials: solve, compress and predict. */
  readonly seconds: number;
  /** Seconds of one compression from the same statistics, the mean over the trials: solve and compress. */
  readonly compression: number;
}

export interface Recommendation {
  readonly trials: readonly Trial[];
  readonly best: Trial;
  /** "none" where nothing was searched. */
  readonly ended: SearchEnd | "none";
  /** Tensors that each damage is a mean over. */
  readonly tensors: number;
  readonly cost: MixCost;
}

export interface RecommendOptions {
  readonly strategy: Strategy;
  readonly candidates: ReadonlyMap<string, LanguageMix>;
  /** Of every language; for `target`. */
  readonly importance: LanguageMix | undefined;
  /** Most mixes that the search tries beside the candidates. */
  readonly rounds: number;
}

/** Tries mixes one after the other and adds up what they cost. */
class Trials {
  readonly #setting: TrialSetting;
  readonly #most: number;
  readonly #context: StageContext;
  readonly #told = new Set<string>();
  #count = 0;
  #seconds = 0;
  #compression = 0;
  tensors = 0;

  constructor(setting: TrialSetting, most: number, context: StageContext) {
    this.#setting = setting;
    this.#most = most;
    this.#context = context;
  }

  get cost(): MixCost {
    return { trials: this.#count, seconds: this.#seconds, compression: this.#compression / this.#count };
  }

  async run(name: string, mix: LanguageMix, round = 0): Promise<Trial> {
    const { signal, progress, threads } = this.#context;
    if (signal.aborted) throw new InterruptedError(`mix: stopped after ${this.#count} mixes`);
    progress({ activity: "try mixes", done: this.#count, total: this.#most, unit: "mixes" });
    const context = { signal, threads, progress: () => undefined, warn: (message: string) => this.#warn(message) };
    const { errors, compression, seconds } = await runTrial(this.#setting, mix, context);
    const damages = damagesOf(errors);
    this.#requireLanguages([...damages.keys()]);
    this.#count += 1;
    this.#seconds += seconds;
    this.#compression += compression;
    this.tensors = new Set(errors.map(({ tensor }) => tensor)).size;
    return { name, round, mix, damages };
  }

  /** Every mix meets the same faults; they are told once. */
  #warn(message: string): void {
    if (!this.#told.has(message)) this.#context.warn(message);
    this.#told.add(message);
  }

  #requireLanguages(predicted: readonly string[]): void {
    if (predicted.length === 0) {
      throw new BadDataError("mix: no layer was predicted; the statistics hold no site of the model");
    }
    const known = [...this.#setting.pool.tokens.keys()].join(", ");
    if (predicted.join(", ") === known) return;
    throw new BadDataError(
      `mix: damage is predicted for ${predicted.join(", ")}, the mix is of ${known}; capture both of the same languages`,
    );
  }
}

function goalOf({ search }: Strategy, importance: LanguageMix | undefined): Goal | undefined {
  if (search === undefined) return undefined;
  return search === "minimax" || importance === undefined ? minimax : target(importance);
}

/**
 * Compares candidates and, by `minimax` or `target`, searches from the best of them on.
 *
 * @throws {BadDataError} where statistics do not fit together
 */
export async function recommendMix(
  setting: TrialSetting,
  { strategy, candidates, importance, rounds }: RecommendOptions,
  context: StageContext,
): Promise<Recommendation> {
  const mixes = new Map(candidates);
  if (importance) mixes.set("importance", tidyMix(importance));
  const goal = goalOf(strategy, importance);
  const trials = new Trials(setting, mixes.size + (goal ? rounds : 0), context);
  const compared: Trial[] = [];
  for (const [name, mix] of mixes) compared.push(await trials.run(name, mix));
  if (!goal) {
    const best = compared.find(({ name }) => name === strategy.name);
    if (best === undefined) throw new InternalError(`no candidate ${strategy.name}`);
    return { trials: compared, best, ended: "none", tensors: trials.tensors, cost: trials.cost };
  }
  const result = await searchMix(compared, goal, rounds, (mix, round) => trials.run(`${strategy.name} ${round}`, mix, round));
  return { ...result, tensors: trials.tensors, cost: trials.cost };
}
