import { allLanguages, encodeStatistics, parseMetadata, readStatistics } from "@mbs/artifacts";
import type { Shards, Statistic, StatisticsMetadata } from "@mbs/artifacts";
import { at, BadDataError, defineStage, InterruptedError, UsageError } from "@mbs/contracts";
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

const placeOf = ({ step, site }: Statistic): string => `${step} ${site}`;

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
  const { step, site, language, kind, width } = first;
  const tokens = parts.reduce((sum, part) => sum + part.tokens, 0);
  const sums = new Float64Array(first.values.length);
  for (const part of parts) {
    if (part.width !== width) {
      throw new BadDataError(
        `${kind} of ${step} ${site} ${language} is ${part.width} wide in one shard and ${width} in another`,
        {
          step,
          site,
        },
      );
    }
    addScaled(sums, part.values, language === allLanguages ? 1 : part.tokens / tokens);
  }
  return { step, site, language, kind, tokens, width, values: Float32Array.from(sums) };
}

/** Shards with the place of their artifact, in order. */
interface Part {
  readonly stream: ArtifactStream;
  readonly metadata: StatisticsMetadata;
  readonly shards: Shards;
}

const namePlaces = ({ first, count, of }: Shards): string =>
  count === 1 ? `${first + 1}/${of}` : `${first + 1} to ${first + count} of ${of}`;

/**
 * What the shards of all inputs are together; undefined where that is the whole.
 *
 * @throws {BadDataError} where they are of different captures
 * @throws {UsageError} where a shard is missing between two others, or given twice
 */
function joinShards(parts: readonly Part[]): Shards | undefined {
  const { metadata, shards } = at(parts, 0);
  const { shards: _, ...common } = metadata;
  let next = shards.first;
  for (const part of parts) {
    const { shards: __, ...own } = part.metadata;
    for (const [name, value] of Object.entries(common)) {
      const found = Object.entries(own).find(([other]) => other === name)?.[1];
      if (JSON.stringify(found) === JSON.stringify(value) && part.shards.of === shards.of) continue;
      throw new BadDataError(
        `shard ${namePlaces(part.shards)} is of another capture than ${namePlaces(shards)}: their ${name} or number of shards differs`,
        { name },
      );
    }
    if (part.shards.first !== next) {
      const problem = part.shards.first < next ? "is given twice" : `follows ${next} of ${shards.of}, so one is missing between`;
      throw new UsageError(`add: shard ${namePlaces(part.shards)} ${problem}; give each shard once`, { shard: next + 1 });
    }
    next += part.shards.count;
  }
  const count = next - shards.first;
  return count === shards.of ? undefined : { first: shards.first, count, of: shards.of };
}

/** Reads one statistic ahead of each shard, and adds those that belong together. */
async function* addAll(parts: readonly Part[], signal: AbortSignal): AsyncGenerator<Statistic> {
  const sources = parts.map(({ stream }) => readStatistics(stream, { shards: true })[Symbol.asyncIterator]());
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
  examples: ["mbs add --statistics shard-2.arrow --statistics shard-3.arrow < shard-1.arrow > statistics.arrow"],
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
    const parts = statistics
      .map((stream) => {
        const metadata = parseMetadata("statistics", stream.schema);
        const { shards } = metadata;
        if (shards === undefined) throw new UsageError("add: these statistics are of all segments already; give those of shards");
        return { stream, metadata, shards };
      })
      .toSorted((a, b) => a.shards.first - b.shards.first);
    const shards = joinShards(parts);
    const { shards: _own, ...common } = at(parts, 0).metadata;
    return { statistics: encodeStatistics(addAll(parts, signal), { ...common, ...(shards && { shards }) }) };
  },
});
