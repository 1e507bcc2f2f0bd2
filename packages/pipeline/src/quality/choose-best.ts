import type { ArtifactStream } from "@mbs/contracts";
import { InternalError } from "@mbs/contracts";
import type { PreparedCandidate } from "./prepare-candidates.ts";
import type { CandidateFigures, QualityRecord, TrialEntry } from "./quality-record.ts";
import type { AverageName, QualitySettings } from "./quality-options.ts";

/** Reads two artifacts of scores: the dense model's, and those of a compressed model on the same windows. */
export type Judge = (dense: ArtifactStream, compressed: ArtifactStream) => Promise<CandidateFigures>;

/** A candidate, and what became of it. */
export interface TriedCandidate {
  readonly name: string;
  readonly reason: string;
  /** Seconds of its nodes, and of scoring it. */
  readonly seconds: number;
  /** Absent where the budget left no time for it. */
  readonly figures?: CandidateFigures;
}

/** What a search has found. */
export interface QualityResult {
  readonly average: AverageName;
  /** In the order in which they were tried. */
  readonly candidates: readonly TriedCandidate[];
  /** Name of the best. */
  readonly best: string;
}

/** What a search works with. */
export interface SearchTools {
  readonly settings: QualitySettings;
  readonly record: QualityRecord;
  /**
   * Runs all nodes of a candidate.
   *
   * @param place "candidate 2 of 7, qep 1"
   * @param later candidates whose nodes may read what this one makes
   * @param onTime called for every node that ran now
   * @returns addresses by node
   */
  readonly attempt: (
    candidate: PreparedCandidate,
    place: string,
    later: readonly PreparedCandidate[],
    onTime: (seconds: number, isScoring: boolean) => void,
  ) => Promise<ReadonlyMap<string, string>>;
  readonly judge: Judge;
  readonly open: (address: string) => Promise<ArtifactStream>;
  /** Removes artifacts of candidates that are not the best. */
  readonly drop: (addresses: readonly string[]) => Promise<void>;
  readonly note: (message: string) => void;
}

/** The address of the scores of one model. */
function scoresIn(addresses: ReadonlyMap<string, string>, model: "dense" | "compressed"): string {
  const found = addresses.get(`join-scores.${model}`) ?? addresses.get(`evaluate.${model}`);
  if (found === undefined) throw new InternalError(`no scores of the ${model} model were made`);
  return found;
}

/** Runs and judges a candidate; what it took is recorded also where it is stopped. */
async function tryCandidate(
  candidate: PreparedCandidate,
  place: string,
  later: readonly PreparedCandidate[],
  { record, attempt, judge, open }: SearchTools,
): Promise<TrialEntry> {
  const { key } = candidate;
  let { compressSeconds, scoreSeconds } = record.get(key) ?? { compressSeconds: 0, scoreSeconds: 0 };
  const unfinished = (): TrialEntry => ({ key, compressSeconds, scoreSeconds, addresses: [] });
  try {
    const addresses = await attempt(candidate, place, later, (seconds, isScoring) => {
      if (isScoring) scoreSeconds += seconds;
      else compressSeconds += seconds;
    });
    const figures = await judge(await open(scoresIn(addresses, "dense")), await open(scoresIn(addresses, "compressed")));
    const entry = { ...unfinished(), figures, addresses: [...new Set(addresses.values())] };
    await record.set(entry);
    return entry;
  } catch (error) {
    await record.set(unfinished());
    throw error;
  }
}

const riseOf = ({ figures }: TrialEntry, average: AverageName): number => {
  const rise = figures?.[average] ?? NaN;
  // a model that gives no numbers is the worst
  return Number.isNaN(rise) ? Infinity : rise;
};

/** Removes what the worse of two candidates has made, but for what the better one has made too. */
async function dropWorse(worse: TrialEntry, better: TrialEntry, drop: SearchTools["drop"]): Promise<void> {
  const kept = new Set(better.addresses);
  await drop(worse.addresses.filter((address) => !kept.has(address)));
}

/**
 * Tries candidates, one after the other, and finds the one with the lowest rise on the validation texts. The first, the recipe as
 * it is given, is always tried; each other one only if the budget has time for as long a one as any before it. On a tie the earlier one is the best.
 *
 * @throws what a run throws; finished candidates are kept, and are not tried again
 */
export async function chooseBest(
  candidates: readonly PreparedCandidate[],
  tools: SearchTools,
): Promise<{ readonly best: PreparedCandidate; readonly result: QualityResult }> {
  const { settings, record, drop, note } = tools;
  const { average, budget } = settings;
  const tried: TriedCandidate[] = [];
  let best: { readonly candidate: PreparedCandidate; readonly entry: TrialEntry } | undefined;
  /** Seconds that one compression takes, as the recipe says it. */
  let unit = 0;
  let spent = 0;
  /** Seconds of the candidate that took longest: what the next one is expected to take. */
  let longest = 0;
  for (const [index, candidate] of candidates.entries()) {
    const { name, reason, key } = candidate;
    const known = record.get(key);
    // a candidate that was begun is finished, since most of its time is spent
    if (known === undefined && best !== undefined && spent + longest > budget * unit) {
      note(`candidate ${name} is left out: the search has taken ${(spent / unit).toFixed(1)} of ${budget} times one compression`);
      tried.push({ name, reason, seconds: 0 });
      continue;
    }
    const place = `candidate ${index + 1} of ${candidates.length}, ${name}`;
    const entry = known?.figures === undefined ? await tryCandidate(candidate, place, candidates.slice(index + 1), tools) : known;
    const seconds = entry.compressSeconds + entry.scoreSeconds;
    if (index === 0) unit = entry.compressSeconds;
    spent += seconds;
    longest = Math.max(longest, seconds);
    tried.push({ name, reason, seconds, ...(entry.figures !== undefined && { figures: entry.figures }) });
    if (best === undefined || riseOf(entry, average) < riseOf(best.entry, average)) {
      if (best !== undefined) await dropWorse(best.entry, entry, drop);
      best = { candidate, entry };
    } else {
      await dropWorse(entry, best.entry, drop);
    }
  }
  if (best === undefined) throw new InternalError("a search had no candidate");
  return { best: best.candidate, result: { average, candidates: tried, best: best.candidate.name } };
}
