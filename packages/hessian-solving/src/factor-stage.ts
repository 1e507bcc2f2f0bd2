import { encodeFactors, isTokenSite, parseMetadata, readStatistics } from "@mbs/artifacts";
import type { FactorRecord, Statistic } from "@mbs/artifacts";
import {
  areProportional,
  BadDataError,
  InterruptedError,
  parseLanguageMix,
  parseOptions,
  parseShard,
  shardOption,
  UsageError,
} from "@mbs/contracts";
import type { LanguageMix, OptionValues, Shards, Stage, StageContext } from "@mbs/contracts";
import { findDead, packUpper, parseOrder } from "@mbs/numbers";
import type { ColumnOrder } from "@mbs/numbers";
import { createBlas, createDoubleBlas } from "@mbs/onnx";
import { mixSites } from "./mixed-site.ts";
import type { PooledMix } from "./mixed-site.ts";
import { factoriseWithRetries } from "./factor-attempts.ts";
import type { Engines } from "./factor-attempts.ts";
import { EmbeddingsRows } from "./embeddings-rows.ts";
import { ExpertShares } from "./expert-shares.ts";
import { starvedChoices, treatStarved } from "./starved-sites.ts";
import type { ReachedSite } from "./starved-sites.ts";

const options = {
  mix: {
    kind: "text",
    placeholder: "LANG=WEIGHT,…",
    optional: true,
    description: "weight of each language; default: the mix given to capture, else the tokens seen of it",
    check: (text: string) => parseLanguageMix(text),
  },
  damping: {
    kind: "share",
    default: 0.01,
    maximum: 0.99,
    description: "added to the diagonal, as a share of its mean without dead channels",
  },
  order: {
    kind: "text",
    placeholder: "natural|activation|group-aware:G",
    default: "natural",
    description: "order in which solvers process the columns",
    check: (text: string) => parseOrder(text),
  },
  onSingular: {
    kind: "choice",
    choices: ["error", "rtn"],
    default: "error",
    description: "what to do with a site whose H stays singular: stop, or round it to nearest (prune it by magnitude)",
  },
  onStarved: {
    kind: "choice",
    choices: starvedChoices,
    default: "own",
    description:
      "what to do with an expert that too few tokens reached: use what it saw; give its first layers what the whole block sees; or round it to nearest (prune it by magnitude)",
  },
  starved: {
    kind: "integer",
    optional: true,
    minimum: 1,
    maximum: 1e9,
    description: "for --on-starved: tokens below which an expert counts as starved; default as many as a site has channels",
  },
  raises: {
    kind: "integer",
    default: 3,
    minimum: 0,
    maximum: 8,
    description: "how often damping may be raised tenfold if float64 alone does not help",
  },
  upper: {
    kind: "choice",
    choices: ["on", "off"],
    default: "on",
    description: "off leaves the upper factor out, for solvers that need the diagonal alone",
  },
  rowClasses: {
    kind: "integer",
    default: 1,
    minimum: 1,
    maximum: 256,
    description:
      "classes of rows of the head at most, each with a Hessian for the language that predicts them, such as 16; with 1 all rows have one",
  },
  blocks: shardOption("--blocks", "factor some blocks of the model alone: 2/8 takes the second of every eight (all)"),
  languageDiagonals: {
    kind: "flag",
    default: false,
    description: "also write E[x²] of each language, for m-wanda and mbs allocate --method correlation",
  },
} as const;

type FactorOptions = OptionValues<typeof options>;

async function factorSite(
  mixed: ReachedSite,
  order: ColumnOrder,
  { damping, raises, onSingular, upper: kept, languageDiagonals: asked }: FactorOptions,
  engines: Engines,
  warn: StageContext["warn"],
): Promise<FactorRecord> {
  const { block, site, width, tokens, weights, diagonal, gram, crossMoment, languageDiagonals, reached, treatment } = mixed;
  // tokens are rows of the weights behind them: no column of theirs can be dead, and they keep their order
  const ofTokens = isTokenSite(site);
  const living = ofTokens ? { dead: [], mean: 1 } : findDead(diagonal);
  // No token reached this expert: with H = I every method falls back to its plain form, and no weight is cleared.
  const unseen = living.dead.length === width;
  if (unseen) warn(`${block} ${site}: no token reached this site; its weights are rounded or pruned by magnitude alone`);
  else if (living.dead.length > 0) {
    warn(
      `${block} ${site}: zero in every token: ${living.dead.length} of ${width} channels, so nothing is known of the weights that read them, and solvers with statistics make these zero; where other texts use them, calibrate with more text or more languages`,
    );
  }
  const arranged = ofTokens ? Int32Array.from(diagonal.keys()) : order.arrange(diagonal);
  const wanted = kept === "on" && gram !== undefined && treatment !== "rtn";
  const result = wanted
    ? await factoriseWithRetries({ gram, order: arranged, living, damping, raises }, engines)
    : { damping, precision: "float32" as const, retries: 0 };
  const { upper, failure } = { upper: undefined, failure: undefined, ...result };
  if (failure) {
    const what = `${block} ${site}: H stays singular after ${result.retries} retries, up to damping ${result.damping}`;
    if (onSingular === "error") {
      throw new BadDataError(
        `${what}; give it more text, raise --damping, or pass --on-singular rtn`,
        { block, site, retries: result.retries, damping: result.damping },
        { cause: failure },
      );
    }
    warn(`${what}; left to plain rounding or magnitude`);
  } else if (result.retries > 0) {
    warn(`${block} ${site}: factorised after ${result.retries} retries, in ${result.precision} with damping ${result.damping}`);
  }
  return {
    block,
    site,
    width,
    summary: {
      tokens,
      weights,
      orderName: ofTokens ? "natural" : order.name,
      requestedDamping: damping,
      damping: result.damping,
      precision: result.precision,
      retries: result.retries,
      dead: unseen ? [] : living.dead,
      factorised: upper !== undefined,
      ...(failure && { fallback: onSingular }),
      ...(reached !== undefined && { reached }),
      ...(treatment && { starved: treatment }),
    },
    order: arranged,
    diagonal,
    ...(gram && { gram }),
    ...(crossMoment && { crossMoment }),
    ...(upper && { upper: packUpper(upper, width) }),
    ...(asked && languageDiagonals && { languageDiagonals }),
  };
}

async function* factorSites(
  first: ReachedSite,
  rest: AsyncIterable<ReachedSite>,
  embeddings: EmbeddingsRows,
  order: ColumnOrder,
  values: FactorOptions,
  { signal, progress, warn, threads, pool }: StageContext,
): AsyncGenerator<FactorRecord> {
  const single = createBlas({ threads, pool });
  const double = createDoubleBlas({ threads, pool });
  let done = 0;
  const most = values.upper === "on" ? values.rowClasses : 1;
  const factorNext = async function* (mixed: ReachedSite): AsyncGenerator<FactorRecord> {
    // one tensor has one order of columns: that of all its rows
    let own = order;
    for (const part of embeddings.sites(mixed, most)) {
      if (signal.aborted) throw new InterruptedError("factor: stopped");
      const record = await factorSite(part, own, values, { single, double }, warn);
      if (part.site === mixed.site) own = { name: order.name, arrange: () => record.order };
      done += 1;
      progress({ activity: "factor", done, unit: "sites" });
      yield record;
    }
  };
  try {
    yield* factorNext(first);
    for await (const mixed of rest) yield* factorNext(mixed);
  } finally {
    embeddings.close();
    await Promise.all([single.release(), double.release()]);
  }
}

/** The statistics, of which each of `readers` takes what it needs. */
async function* remembered(
  statistics: AsyncIterable<Statistic>,
  readers: readonly { take(statistic: Statistic): void }[],
): AsyncGenerator<Statistic> {
  for await (const statistic of statistics) {
    for (const reader of readers) reader.take(statistic);
    yield statistic;
  }
}

/** Statistics of every block, or of one in so many from a place on: neighbours are alike, so that each shard has the same to do. */
async function* ofBlocks(statistics: AsyncIterable<Statistic>, shard: Shards | undefined): AsyncGenerator<Statistic> {
  let place = -1;
  let last: string | undefined;
  for await (const statistic of statistics) {
    if (statistic.block !== last) place += 1;
    last = statistic.block;
    if (shard === undefined || place % shard.of === shard.first) yield statistic;
  }
}

/** The mix to use, and whether Grams that capture pooled have it. */
function chooseMix(asked: LanguageMix | undefined, captured: LanguageMix | undefined): [LanguageMix | undefined, PooledMix] {
  if (asked === undefined) return [captured, "same"];
  return [asked, captured !== undefined && areProportional(asked, captured) ? "same" : "other"];
}

/** Stage `factor`: mixes the languages' statistics and factorises the inverse of each site's Hessian. */
export const factor: Stage = {
  name: "factor",
  summary: "Mix the languages' statistics of each site and factorise the inverse of its Hessian.",
  examples: [
    "mbs factor --damping 0.01 < statistics.arrow > factors.arrow",
    "mbs factor --mix en=0.5,fr=0.5 --order group-aware:128 < statistics.arrow > factors.arrow",
  ],
  inputs: { statistics: { kinds: ["statistics"], description: "output of `mbs capture`" } },
  outputs: {
    factors: { kind: "factors", description: "for each site its factor, order, Gram and diagonal", intermediate: true },
  },
  options,
  async run(inputs, raw, context) {
    const values = parseOptions(options, raw, "factor");
    const order = parseOrder(values.order);
    const asked = values.mix === undefined ? undefined : parseLanguageMix(values.mix);
    const shard = parseShard(values.blocks, "--blocks");
    const statistics = inputs["statistics"]?.[0];
    if (statistics === undefined) throw new UsageError("factor: give it statistics");
    // the schema states the weights, so the first site is read before the output begins
    const { model, mix: captured } = parseMetadata("statistics", statistics.schema);
    const embeddings = new EmbeddingsRows();
    const shares = new ExpertShares();
    const mixed = mixSites(
      remembered(ofBlocks(readStatistics(statistics), shard), [embeddings, shares]),
      ...chooseMix(asked, captured && new Map(Object.entries(captured))),
    );
    const sites = treatStarved(mixed, shares, values, context.warn);
    const first = await sites.next();
    if (first.done && shard !== undefined)
      throw new UsageError(`there are no more than ${shard.first} blocks; take fewer shards of them`, { option: "--blocks" });
    if (first.done) throw new BadDataError("factor: the statistics hold no site that linear layers read; capture again");
    const metadata = {
      model,
      weights: first.value.weights,
      damping: values.damping,
      order: order.name,
    };
    return { factors: encodeFactors(factorSites(first.value, sites, embeddings, order, values, context), metadata) };
  },
};
