import { allLanguages, encodeStatistics, orderShards, parseMetadata, readStatistics } from "@mbs/artifacts";
import type { Statistic } from "@mbs/artifacts";
import { at, BadDataError, defineStage, InterruptedError } from "@mbs/contracts";
import type { ArtifactStream } from "@mbs/contracts";
import { addScaled } from "./running-sums.ts";

type Kind = Statistic["kind"];

/** The order of capture within a site: languages by name after all of them together, then kinds. */
const kinds: readonly Kind[] = ["gram", "cross-moment", "diagonal"];
const rankOf = ({ language, kind }: Statistic): readonly [string, number] => [
  language === allLanguages ? "" : language,
  kinds.indexOf(kind),
];

function compare(a: Statistic, b: Statistic): number {
  const [[language, kind], [other, otherKind]] = [rankOf(a), rankOf(b)];
  if (language === other) return kind - otherKind;
  return language < other ? -1 : 1;
}

const placeOf = ({ block, site }: Statistic): string => `${block} ${site}`;

/**
 * The sum of one statistic over shards, in float64 and in their order, so that the same shards give the same bytes.
 *
 * A mean of one language weighs as many tokens as it was taken over. A shard's matrix of all languages has its weight in it.
 *
 * @param parts of one language, kind and site
 * @throws {BadDataError} where their widths differ
 */
export function addStatistics(parts: readonly Statistic[]): Statistic {
  const first = at(parts, 0);
  const { block, site, language, kind, width } = first;
  const tokens = parts.reduce((sum, part) => sum + part.tokens, 0);
  const sums = new Float64Array(first.values.length);
  for (const part of parts) {
    if (part.width !== width) {
      throw new BadDataError(
        `${kind} of ${block} ${site} ${language} is ${part.width} wide in one shard and ${width} in another`,
        {
          block,
          site,
        },
      );
    }
    addScaled(sums, part.values, language === allLanguages ? 1 : part.tokens / tokens);
  }
  return { block, site, language, kind, tokens, width, values: Float32Array.from(sums) };
}

/** Reads one statistic ahead of each shard, and adds those that belong together. */
async function* addAll(streams: readonly ArtifactStream[], signal: AbortSignal): AsyncGenerator<Statistic> {
  const sources = streams.map((stream) => readStatistics(stream, { shards: true })[Symbol.asyncIterator]());
  try {
    const heads = await Promise.all(sources.map(async (source) => (await source.next()).value as Statistic | undefined));
    const advance = async (index: number): Promise<void> => {
      heads[index] = (await at(sources, index).next()).value as Statistic | undefined;
    };
    while (heads.some((head) => head !== undefined)) {
      if (signal.aborted) throw new InterruptedError("add: stopped");
      const [place] = heads.map((head) => head && placeOf(head));
      if (place === undefined || heads.some((head) => head === undefined || placeOf(head) !== place)) {
        const found = heads.map((head) => (head === undefined ? "its end" : placeOf(head)));
        throw new BadDataError(`the shards do not hold the same sites: one is at ${found.join(", another at ")}; capture again`);
      }
      const isHere = (head: Statistic | undefined): head is Statistic => head !== undefined && placeOf(head) === place;
      let last: Statistic | undefined;
      while (heads.some(isHere)) {
        const least = heads.filter(isHere).reduce((best, head) => (compare(head, best) < 0 ? head : best));
        if (last !== undefined && compare(least, last) <= 0) {
          throw new BadDataError(
            `a shard has its ${least.kind} of ${place} ${least.language} twice, or after that of ${last.language}; capture again`,
          );
        }
        last = least;
        const chosen = [...heads.keys()].filter((index) => {
          const head = heads[index];
          return isHere(head) && compare(head, least) === 0;
        });
        yield addStatistics(chosen.map((index) => at(heads, index)).filter(isHere));
        for (const index of chosen) await advance(index);
      }
    }
  } finally {
    for (const source of sources) await source.return?.();
  }
}

/** Stage `add`: the statistics of shards become those of all of them. */
export const add = defineStage({
  name: "add",
  summary: "Add the statistics of shards, which were captured apart, to those of all segments.",
  examples: ["mbs add --statistics shard-1.arrow --statistics shard-2.arrow > statistics.arrow"],
  inputs: {
    statistics: { kinds: ["statistics"], many: true, description: "outputs of `mbs capture`, of neighbouring shards" },
  },
  outputs: {
    statistics: {
      kind: "statistics",
      description: "means over the tokens of all given shards; of a part of them where some are not given",
      intermediate: true,
    },
  },
  options: {},
  run({ statistics }, _, { signal }) {
    const parts = statistics.map((stream) => {
      const { shards, ...common } = parseMetadata("statistics", stream.schema);
      return { stream, shards, common };
    });
    const { streams, shards } = orderShards(parts);
    const { common } = at(parts, 0);
    return { statistics: encodeStatistics(addAll(streams, signal), { ...common, ...(shards && { shards }) }) };
  },
});
