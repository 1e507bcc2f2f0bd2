import { ScratchFile, encodeSimilarities, expertsSite, inputSite, parseMetadata, allSites } from "@mbs/artifacts";
import type { SimilarityRecord, Statistic } from "@mbs/artifacts";
import { BadDataError, InterruptedError, UsageError, parseOptions } from "@mbs/contracts";
import type { ArtifactStream, OptionTable, Stage, StageContext } from "@mbs/contracts";
import { createBlas } from "@mbs/onnx";
import { compareLanguages } from "./compare-languages.ts";
import { gatherSites } from "./gathered-sites.ts";
import { readOwnStatistics } from "../own-statistics.ts";
import { compareSite, pairRecords } from "./site-comparison.ts";

/** What each language put into one block. */
interface Profiles {
  /** The block whose input was measured. */
  readonly block: string;
  /** Language → E[x²] of each channel, [width]. */
  readonly languages: ReadonlyMap<string, Float32Array>;
}

/**
 * Picks the profiles of the first block that has any: the input of the first decoder block, before its norm, when the
 * statistics are of a whole model.
 *
 * @throws {BadDataError} when there are fewer than two languages, two widths, or one language twice
 */
async function readProfiles(statistics: AsyncIterable<Statistic>): Promise<Profiles> {
  const languages = new Map<string, Float32Array>();
  let block: string | undefined;
  // The whole stream is read, since only its end proves that it is whole.
  for await (const statistic of statistics) {
    if (statistic.site !== inputSite || statistic.kind !== "diagonal") continue;
    block ??= statistic.block;
    if (statistic.block !== block) continue;
    const { language, width, values } = statistic;
    const known = languages.values().next().value;
    if (known !== undefined && known.length !== width) {
      throw new BadDataError(
        `statistics of ${block}/${inputSite}: ${language} has ${width} channels, others ${known.length}; capture again`,
        {
          block,
          language,
        },
      );
    }
    if (languages.has(language)) {
      throw new BadDataError(`statistics of ${block}/${inputSite}: ${language} occurs twice; capture again`, { block, language });
    }
    languages.set(language, values);
  }
  if (block === undefined || languages.size < 2) {
    throw new BadDataError(
      `similarity needs the input diagonals of at least two languages, found ${languages.size}; sample a mix of more languages and capture`,
      { languages: languages.size },
    );
  }
  return { block, languages };
}

interface Sum {
  readonly record: SimilarityRecord;
  total: number;
  sites: number;
}

/** Means of every measure and pair over the sites that have it. */
class MeanSimilarity {
  readonly #sums = new Map<string, Sum>();

  add(record: SimilarityRecord): void {
    const { measure, first, second, value } = record;
    const key = JSON.stringify([measure, first, second]);
    const sum = this.#sums.get(key) ?? { record, total: 0, sites: 0 };
    this.#sums.set(key, sum);
    sum.total += value;
    sum.sites += 1;
  }

  /** The means, in the order in which the measures first came. */
  records(): SimilarityRecord[] {
    return [...this.#sums.values()].map(({ record, total, sites }) => ({
      ...record,
      block: allSites,
      site: allSites,
      value: total / sites,
    }));
  }
}

const defaultSubspace = 16;

const options = {
  sites: {
    kind: "choice",
    choices: ["first-input", "all"],
    default: "first-input",
    description: "the input of the first block (the paper's measure), or every block's input, every site and their mean",
  },
  subspace: {
    kind: "integer",
    minimum: 1,
    optional: true,
    description: `with --sites all: how many leading eigenvectors span the subspaces compared, default ${defaultSubspace}`,
  },
} as const satisfies OptionTable;

async function* compareFirstInput(statistics: ArtifactStream, signal: AbortSignal): AsyncGenerator<SimilarityRecord> {
  const { block, languages } = await readProfiles(readOwnStatistics(statistics));
  if (signal.aborted) throw new InterruptedError("similarity: stopped");
  for (const pair of compareLanguages(languages)) yield* pairRecords(block, inputSite, pair);
}

async function* compareAllSites(
  statistics: ArtifactStream,
  subspace: number,
  { signal, progress, threads }: StageContext,
): AsyncGenerator<SimilarityRecord> {
  const blas = createBlas({ threads });
  const scratch = new ScratchFile();
  const mean = new MeanSimilarity();
  let sites = 0;
  try {
    for await (const site of gatherSites(readOwnStatistics(statistics), scratch)) {
      if (signal.aborted) throw new InterruptedError("similarity: stopped");
      for (const record of await compareSite(site, { blas, subspace, signal })) {
        // shares of experts are no inputs
        if (site.site !== expertsSite) mean.add(record);
        yield record;
      }
      sites += 1;
      progress({ activity: "compare languages", done: sites, unit: "sites" });
    }
    if (sites === 0) throw new BadDataError("the artifact has no statistics; capture again");
    yield* mean.records();
  } finally {
    scratch.close();
    await blas.release();
  }
}

/** Stage `similarity`: how alike every two languages look to the model. */
export const similarity: Stage = {
  name: "similarity",
  summary: "Compare languages by their inputs to the model's first block, or to every site.",
  examples: [
    "mbs similarity < statistics.arrow > similarity.arrow",
    "mbs similarity --sites all --subspace 32 < statistics.arrow > similarity.arrow",
  ],
  inputs: { statistics: { kinds: ["statistics"], description: "statistics of at least two languages" } },
  outputs: { similarity: { kind: "similarity", description: "each pair of languages once a site, by every measure" } },
  options,
  async run(inputs, raw, context) {
    const { sites, subspace } = parseOptions(options, raw, "similarity");
    if (sites !== "all" && subspace !== undefined) {
      throw new UsageError("--subspace goes with --sites all", { option: "--subspace" });
    }
    const statistics = inputs["statistics"]?.[0];
    if (statistics === undefined) throw new UsageError("similarity: give it statistics");
    const { model } = parseMetadata("statistics", statistics.schema);
    const records =
      sites === "all"
        ? compareAllSites(statistics, subspace ?? defaultSubspace, context)
        : compareFirstInput(statistics, context.signal);
    return { similarity: encodeSimilarities(records, { model }) };
  },
};
