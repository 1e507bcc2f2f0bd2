import type { SimilarityRecord } from "@mbs/artifacts";
import { BadDataError, InternalError, InterruptedError, UsageError, at } from "@mbs/contracts";
import type { Blas, Matrix } from "@mbs/contracts";
import { compareLanguages } from "./compare-languages.ts";
import type { LanguagePair } from "./compare-languages.ts";
import type { GatheredSite } from "./gathered-sites.ts";
import { leadingSubspace, subspaceOverlap } from "./leading-subspace.ts";
import { traceProducts } from "./scratch-gram.ts";

/** The three measures of one pair at one site. */
export function pairRecords(block: string, site: string, pair: LanguagePair): SimilarityRecord[] {
  const { first, second } = pair;
  return (["cosine", "degrees", "euclidean"] as const).map((measure) => ({
    block,
    site,
    measure,
    first,
    second,
    value: pair[measure],
  }));
}

export interface ComparisonTools {
  readonly blas: Blas;
  /** How many eigenvectors span the subspaces that are compared. */
  readonly subspace: number;
  readonly signal: AbortSignal;
}

/** What the whole matrices of a pair have in common. */
interface GramPair {
  readonly gram: number;
  readonly subspace: number;
}

async function subspacesOf({ block, site, width, grams }: GatheredSite, languages: readonly string[], tools: ComparisonTools) {
  const { blas, subspace, signal } = tools;
  if (subspace > width) {
    throw new UsageError(`--subspace ${subspace}: ${block} ${site} is ${width} wide; give --subspace ${width} or less`, {
      option: "--subspace",
    });
  }
  const spans = new Map<string, Matrix>();
  for (const language of languages) {
    if (signal.aborted) throw new InterruptedError("similarity: stopped");
    const gram = grams.get(language);
    if (gram) spans.set(language, await leadingSubspace(blas, (vectors) => gram.multiply(blas, vectors), width, subspace));
  }
  return spans;
}

/** Compares the whole matrices, where every language has one. */
async function compareGrams(site: GatheredSite, languages: readonly string[], tools: ComparisonTools) {
  const matrices = languages.flatMap((language) => site.grams.get(language) ?? []);
  if (matrices.length < languages.length) return undefined;
  const traces = await traceProducts(tools.blas, matrices);
  const spans = await subspacesOf(site, languages, tools);
  const traceOf = (one: string, other: string): number => at(at(traces, languages.indexOf(one)), languages.indexOf(other));
  return async (first: string, second: string): Promise<GramPair> => {
    const lengths = Math.sqrt(traceOf(first, first) * traceOf(second, second));
    const [left, right] = [spans.get(first), spans.get(second)];
    if (!left || !right) throw new InternalError(`no subspace of ${first} or of ${second}`, { first, second });
    return {
      gram: lengths === 0 ? 0 : Math.min(1, traceOf(first, second) / lengths),
      subspace: (await subspaceOverlap(tools.blas, left, right)) / tools.subspace,
    };
  };
}

/**
 * Every measure between every two languages at one site: cosine, degrees and Euclidean distance of E[x²], and where all
 * languages have whole statistics the normalised trace `gram` and the overlap `subspace:K`.
 *
 * @throws {BadDataError} when there are fewer than two languages, or a value is too large
 * @throws {UsageError} when the site is narrower than the subspace
 */
export async function compareSite(gathered: GatheredSite, tools: ComparisonTools): Promise<SimilarityRecord[]> {
  const { block, site, diagonals } = gathered;
  const languages = [...diagonals.keys()].sort();
  if (languages.length < 2) {
    throw new BadDataError(
      `similarity needs statistics of at least two languages, ${block} ${site} has ${languages.length}; sample a mix of more languages and capture`,
      { block, site, languages: languages.length },
    );
  }
  const whole = await compareGrams(gathered, languages, tools);
  const records: SimilarityRecord[] = [];
  for (const pair of compareLanguages(diagonals)) {
    const { first, second } = pair;
    records.push(...pairRecords(block, site, pair));
    if (!whole) continue;
    const { gram, subspace } = await whole(first, second);
    records.push({ block, site, measure: "gram", first, second, value: gram });
    records.push({ block, site, measure: `subspace:${tools.subspace}`, first, second, value: subspace });
  }
  if (!records.every(({ value }) => Number.isFinite(value))) {
    throw new BadDataError(
      `statistics of ${block} ${site}: their products overflow float32, so large are the states that were read there; take the model from its source again`,
      { block, site },
    );
  }
  return records;
}
