import {
  addressOnTheWay,
  allLanguages,
  collect,
  collectScores,
  parseMetadata,
  readDamage,
  readMixes,
  readSegments,
  readSimilarities,
  readStatistics,
} from "@mbs/artifacts";
import type {
  DamageMetadata,
  DamageRecord,
  MixRecord,
  MixesMetadata,
  Score,
  ScoresMetadata,
  SegmentsMetadata,
  SimilarityMetadata,
  SimilarityRecord,
  TaskScore,
  StatisticsMetadata,
} from "@mbs/artifacts";
import { BadDataError } from "@mbs/contracts";
import type { ArtifactStream } from "@mbs/contracts";
import { ExpertUsage } from "./experts/expert-usage.ts";
import type { BlockExperts } from "./experts/expert-usage.ts";

/** An artifact and what to call it. */
export interface ReportInput {
  readonly name: string;
  readonly stream: ArtifactStream;
}

/** Tokens of each language. */
export type Tokens = Readonly<Record<string, number>>;

/** What reports and diagnoses take from an artifact, by its kind. */
export interface CollectedKinds {
  readonly scores: {
    readonly metadata: ScoresMetadata;
    readonly records: readonly Score[];
    readonly tasks: readonly TaskScore[];
  };
  readonly similarity: { readonly metadata: SimilarityMetadata; readonly records: readonly SimilarityRecord[] };
  readonly damage: { readonly metadata: DamageMetadata; readonly records: readonly DamageRecord[] };
  readonly mixes: { readonly metadata: MixesMetadata; readonly records: readonly MixRecord[] };
  readonly segments: { readonly metadata: SegmentsMetadata; readonly tokens: Tokens };
  readonly statistics: {
    readonly metadata: StatisticsMetadata;
    readonly tokens: Tokens;
    readonly experts: readonly BlockExperts[];
  };
}

/** A whole artifact of one kind, read. */
export type CollectedOf<Kind extends keyof CollectedKinds> = {
  readonly kind: Kind;
  readonly name: string;
  readonly address: string;
} & CollectedKinds[Kind];

/** A whole artifact, read. */
export type Collected = { [Kind in keyof CollectedKinds]: CollectedOf<Kind> }[keyof CollectedKinds];

async function segmentTokens(stream: ArtifactStream): Promise<Tokens> {
  const tokens = new Map<string, number>();
  for await (const segment of readSegments(stream)) {
    tokens.set(segment.language, (tokens.get(segment.language) ?? 0) + segment.tokens.length);
  }
  return Object.fromEntries(tokens);
}

/** A site of another stream has seen fewer tokens than the text has, so the most over all sites counts. */
async function readTokensAndExperts(stream: ArtifactStream): Promise<Pick<CollectedKinds["statistics"], "tokens" | "experts">> {
  const most = new Map<string, number>();
  const usage = new ExpertUsage();
  for await (const statistic of readStatistics(stream)) {
    const { language, tokens } = statistic;
    usage.take(statistic);
    if (language !== allLanguages) most.set(language, Math.max(most.get(language) ?? 0, tokens));
  }
  return { tokens: Object.fromEntries(most), experts: usage.blocks() };
}

const readers: { readonly [K in keyof CollectedKinds]: (stream: ArtifactStream) => Promise<CollectedKinds[K]> } = {
  scores: async (stream) => {
    const { windows: records, tasks } = await collectScores(stream);
    return { metadata: parseMetadata("scores", stream.schema), records, tasks };
  },
  similarity: async (stream) => ({
    metadata: parseMetadata("similarity", stream.schema),
    records: await collect(readSimilarities(stream)),
  }),
  damage: async (stream) => ({
    metadata: parseMetadata("damage", stream.schema),
    records: await collect(readDamage(stream)),
  }),
  mixes: async (stream) => ({
    metadata: parseMetadata("mixes", stream.schema),
    records: await collect(readMixes(stream)),
  }),
  segments: async (stream) => ({
    metadata: parseMetadata("segments", stream.schema),
    tokens: await segmentTokens(stream),
  }),
  statistics: async (stream) => ({
    metadata: parseMetadata("statistics", stream.schema),
    ...(await readTokensAndExperts(stream)),
  }),
};

const isReadable = (kind: string): kind is keyof CollectedKinds => Object.hasOwn(readers, kind);

/**
 * Reads artifacts, in order.
 *
 * @throws {BadDataError} on a kind that reports do not read, or a broken or empty artifact
 */
export async function collectArtifacts(inputs: readonly ReportInput[]): Promise<readonly Collected[]> {
  const collected: Collected[] = [];
  for (const { name, stream } of inputs) {
    const { kind } = stream.schema;
    if (!isReadable(kind)) {
      const kinds = Object.keys(readers).join(", ");
      throw new BadDataError(`${name} holds ${kind}; give artifacts of kind ${kinds}`, { kind });
    }
    const addressed = addressOnTheWay(stream);
    const content = await readers[kind](addressed.stream);
    const { address, rows } = addressed.receipt();
    if (rows === 0) throw new BadDataError(`${name} holds no rows of ${kind}; make it again`, { kind });
    collected.push({ kind, name, address, ...content } as Collected);
  }
  return collected;
}

/** The artifacts of one kind. */
export const ofKind = <Kind extends keyof CollectedKinds>(all: readonly Collected[], kind: Kind): readonly CollectedOf<Kind>[] =>
  all.filter((artifact) => artifact.kind === kind) as unknown as readonly CollectedOf<Kind>[];
