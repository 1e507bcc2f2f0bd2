import { isAddress, writeAtomically } from "@mbs/artifacts";
import { BadDataError, isObject } from "@mbs/contracts";
import { exists, readRecord } from "../run/file-state.ts";

/** What a candidate's validation texts say: rises above the dense model in nats a token, ln(perplexity / dense perplexity). */
export interface CandidateFigures {
  /** Mean of all languages. */
  readonly unweighted: number;
  /** Mean by shares; absent where none are known. */
  readonly weighted?: number | undefined;
  readonly worst: number;
  readonly worstLanguage: string;
}

/** A candidate that was begun. */
export interface TrialEntry {
  /** Hash of all that its layers and scores depend on. */
  readonly key: string;
  /** Seconds of its nodes, but for scoring. */
  readonly compressSeconds: number;
  readonly scoreSeconds: number;
  /** Absent while it is unfinished. */
  readonly figures?: CandidateFigures;
  /** Addresses of what it has made; empty while it is unfinished. */
  readonly addresses: readonly string[];
}

const isFinite = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);

/** A rise that is no number is null in JSON. */
const isRise = (value: unknown): boolean => value === null || isFinite(value);

const isEntry = (value: unknown): boolean =>
  isObject(value) &&
  typeof value["key"] === "string" &&
  isFinite(value["compressSeconds"]) &&
  isFinite(value["scoreSeconds"]) &&
  Array.isArray(value["addresses"]) &&
  value["addresses"].every(isAddress) &&
  (value["figures"] === undefined ||
    (isObject(value["figures"]) &&
      isRise(value["figures"]["unweighted"]) &&
      isRise(value["figures"]["weighted"] ?? null) &&
      isRise(value["figures"]["worst"]) &&
      typeof value["figures"]["worstLanguage"] === "string"));

/** Candidates that were begun, in a small file, so that a search that was stopped goes on. */
export class QualityRecord {
  readonly #path: string;
  readonly #entries: Map<string, TrialEntry>;

  private constructor(path: string, entries: Iterable<TrialEntry>) {
    this.#path = path;
    this.#entries = new Map(Array.from(entries, (entry) => [entry.key, entry]));
  }

  /** Reads the record; a missing file is an empty one. @throws {BadDataError} on a damaged file */
  static async open(path: string): Promise<QualityRecord> {
    if (!(await exists(path))) return new QualityRecord(path, []);
    const value = await readRecord(path);
    if (!Array.isArray(value) || !value.every(isEntry)) {
      throw new BadDataError(`${path} is damaged, or was not written by a run; remove it, and all candidates are tried again`, {
        path,
      });
    }
    const entries = value as (Omit<TrialEntry, "figures"> & { readonly figures?: WrittenFigures })[];
    return new QualityRecord(
      path,
      entries.map(({ figures, ...entry }) => (figures === undefined ? entry : { ...entry, figures: withNumbers(figures) })),
    );
  }

  get(key: string): TrialEntry | undefined {
    return this.#entries.get(key);
  }

  /** The entry is on the disk when it resolves. */
  async set(entry: TrialEntry): Promise<void> {
    this.#entries.set(entry.key, entry);
    await writeAtomically(this.#path, [Buffer.from(`${JSON.stringify([...this.#entries.values()])}\n`)], { force: true });
  }
}

/** Figures as JSON holds them. */
interface WrittenFigures {
  readonly unweighted: number | null;
  readonly weighted?: number | null;
  readonly worst: number | null;
  readonly worstLanguage: string;
}

const withNumbers = ({ unweighted, weighted, worst, worstLanguage }: WrittenFigures): CandidateFigures => ({
  unweighted: unweighted ?? NaN,
  ...(weighted !== undefined && { weighted: weighted ?? NaN }),
  worst: worst ?? NaN,
  worstLanguage,
});
