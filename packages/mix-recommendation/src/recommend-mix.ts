import { damageByLanguage } from "@mbs/artifacts";
import { BadDataError, InternalError, InterruptedError, formatLanguageMix } from "@mbs/contracts";
import type { LanguageMix, StageContext } from "@mbs/contracts";
import { minimax, target } from "./goals.ts";
import type { Goal, Trial } from "./goals.ts";
import { searchMix } from "./mix-search.ts";
import type { SearchEnd } from "./mix-search.ts";
import { runTrial } from "./mix-trial.ts";
import type { TrialSetting } from "./mix-trial.ts";
import { tidyMix } from "./mix-weights.ts";
import type { Search } from "./strategy.ts";

/** What the search took, measured. */
export interface MixCost {
  /** Mixes tried; one under two names counts once. */
  readonly trials: number;
  /** Seconds of all trials: factor, compress and predict. */
  readonly seconds: number;
  /** Seconds of one compression from the same statistics, the mean over the trials: factor and compress. */
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
  /** Name of the strategy: of the candidate asked for where nothing is searched. */
  readonly name: string;
  readonly search: Search | undefined;
  readonly candidates: ReadonlyMap<string, LanguageMix>;
  /** Most mixes that the search tries beside the candidates. */
  readonly rounds: number;
}

/** Tries mixes one after the other and adds up what they cost. */
class Trials {
  readonly #setting: TrialSetting;
  readonly #most: number;
  readonly #context: StageContext;
  readonly #warned = new Set<string>();
  /** By mix, as it is written. */
  readonly #tried = new Map<string, Trial>();
  #seconds = 0;
  #compression = 0;
  tensors = 0;

  constructor(setting: TrialSetting, most: number, context: StageContext) {
    this.#setting = setting;
    this.#most = most;
    this.#context = context;
  }

  get cost(): MixCost {
    const trials = this.#tried.size;
    return { trials, seconds: this.#seconds, compression: this.#compression / trials };
  }

  /** Tries a mix; one that was tried under another name is looked up. */
  async run(name: string, mix: LanguageMix, round = 0): Promise<Trial> {
    const known = this.#tried.get(formatLanguageMix(mix));
    if (known !== undefined) return { ...known, name, round };
    const { signal, progress, threads } = this.#context;
    if (signal.aborted) throw new InterruptedError(`mix: stopped after ${this.#tried.size} mixes`);
    progress({ activity: "try mixes", done: this.#tried.size, total: this.#most, unit: "mixes" });
    const context = { signal, threads, progress: () => undefined, warn: (message: string) => this.#warn(message) };
    const { damage, compression, seconds } = await runTrial(this.#setting, mix, context);
    const damages = damageByLanguage(damage);
    this.#requireLanguages([...damages.keys()]);
    this.#seconds += seconds;
    this.#compression += compression;
    this.tensors = new Set(damage.map(({ tensor }) => tensor)).size;
    const trial = { name, round, mix, damages };
    this.#tried.set(formatLanguageMix(mix), trial);
    return trial;
  }

  /** All trials give the same warnings; each is passed on once. */
  #warn(message: string): void {
    if (!this.#warned.has(message)) this.#context.warn(message);
    this.#warned.add(message);
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

const goalOf = (search: Search): Goal => (search.kind === "minimax" ? minimax : target(search.importance));

/**
 * Compares candidates and, by `minimax` or `target`, searches from the best of them on.
 *
 * @throws {BadDataError} where statistics do not fit together
 */
export async function recommendMix(
  setting: TrialSetting,
  { name: wanted, search, candidates, rounds }: RecommendOptions,
  context: StageContext,
): Promise<Recommendation> {
  const mixes = new Map(candidates);
  if (search?.kind === "target") mixes.set("importance", tidyMix(search.importance));
  const different = new Set([...mixes.values()].map(formatLanguageMix)).size;
  const trials = new Trials(setting, different + (search ? rounds : 0), context);
  const compared: Trial[] = [];
  for (const [name, mix] of mixes) compared.push(await trials.run(name, mix));
  if (!search) {
    const best = compared.find(({ name }) => name === wanted);
    if (best === undefined) throw new InternalError(`no candidate ${wanted}`);
    return { trials: compared, best, ended: "none", tensors: trials.tensors, cost: trials.cost };
  }
  const result = await searchMix(compared, goalOf(search), rounds, (mix, round) => trials.run(`${wanted} ${round}`, mix, round));
  return { ...result, tensors: trials.tensors, cost: trials.cost };
}
