import { BadDataError, InternalError, isAmount, isCount, isObject, mostWeight, type Schema, type Shards } from "@mbs/contracts";
import { canonicalJson, parseJson } from "../json.ts";
import type { ArtifactKind } from "./schemas.ts";

/** Numbers by language (or by another name), as weights, counts or shares. */
export type NumbersByName = Readonly<Record<string, number>>;

interface MetadataTypes {
  text: string;
  integer: number;
  /** A whole number of at least 0. */
  count: number;
  /** A number of at least 0. */
  amount: number;
  /** A number from 0 to 1. */
  share: number;
  /** JSON object of numbers, or "" for none. */
  "numbers?": NumbersByName | undefined;
  /** JSON object of whole numbers of at least 0. */
  counts: NumbersByName;
  /** JSON object of numbers of at least 0. */
  weights: NumbersByName;
  /** JSON object of shares of a whole, on any scale, or "" for none. */
  "shares?": NumbersByName | undefined;
  /** JSON object of shares as `--mix` takes them, or "" for none. */
  "mix?": NumbersByName | undefined;
  /** JSON list of texts. */
  texts: readonly string[];
  /** JSON object, shape as its writer declares it. */
  object: Readonly<Record<string, unknown>>;
  /** The same, or "" for none. */
  "object?": Readonly<Record<string, unknown>> | undefined;
  /** JSON object of whole numbers; absent from an artifact of the whole. */
  shards: Shards;
  /** JSON object of the tokens of each language in all segments; absent too. */
  wholeTokens: NumbersByName;
  /** JSON object of the tokens of each language in the mix that was asked for; absent where they are those that there are. */
  ofMix: NumbersByName;
  /** JSON object, absent where nothing was added to cover experts. */
  coverage: Readonly<Record<string, unknown>>;
  /** JSON object by name; absent from scores without tasks. */
  tasks: Readonly<Record<string, unknown>>;
  /** A number above 0; absent from an allocation of sparsity. */
  bitsPerWeight: number;
  /** JSON object; absent from damage that nothing is predicted from. */
  measured: MeasuredDamage;
  /** JSON object of pairs of numbers; absent without scores. */
  intervals: IntervalsByName;
}

/** What another compressed model did to each language, and what it lost. */
export interface MeasuredDamage {
  /** Its name in the scores. */
  readonly model: string;
  /** Names of its solvers, as of the damage artifact. */
  readonly solver: string;
  /** Language → mean damage of its tensors. */
  readonly damages: NumbersByName;
  /** Language → rise of the loss above the dense model's, nats a token. */
  readonly losses: NumbersByName;
  /** Language → 95% interval of that, over windows; without languages of too few windows. */
  readonly intervals: IntervalsByName;
}

/** Name → low and high. */
export type IntervalsByName = Readonly<Record<string, readonly [number, number]>>;

type MetadataType = keyof MetadataTypes;
/** What not every artifact of a kind has. */
type AbsentType = "shards" | "wholeTokens" | "ofMix" | "coverage" | "tasks" | "bitsPerWeight" | "measured" | "intervals";

/** The metadata of every kind, in the order of docs/artifacts.md. */
const metadataTypes = {
  segments: {
    tokenizer: "text",
    corpus: "text",
    distribution: "text",
    length: "count",
    seed: "integer",
    mix: "text",
    counts: "counts",
    shortfall: "counts",
    ofMix: "ofMix",
    coverage: "coverage",
  },
  statistics: { model: "text", tokenizer: "text", propagation: "text", unit: "text", mix: "mix?", shards: "shards" },
  states: {
    model: "text",
    tokenizer: "text",
    blocks: "count",
    layers: "texts",
    shards: "shards",
    wholeTokens: "wholeTokens",
    ofMix: "ofMix",
  },
  "last-states": {
    model: "text",
    activations: "text",
    nonfinite: "texts",
    corpus: "text",
    length: "count",
    bos: "text",
    options: "object",
    windows: "counts",
    shards: "shards",
  },
  factors: { model: "text", weights: "weights", damping: "amount", order: "text" },
  allocation: {
    model: "text",
    method: "text",
    options: "object",
    sparsity: "share",
    weights: "weights",
    bitsPerWeight: "bitsPerWeight",
  },
  layers: { model: "text", solver: "text", options: "object", order: "text", weights: "weights", rowParts: "shards" },
  // Without windows corpus and bos are "", and length is 0.
  scores: {
    corpus: "text",
    length: "count",
    bos: "text",
    shares: "shares?",
    models: "object?",
    shards: "shards",
    tasks: "tasks",
    groups: "tasks",
  },
  similarity: { model: "text" },
  // Rises of the loss, in nats a token, not of perplexity.
  damage: {
    model: "text",
    solver: "text",
    scored: "text",
    lossRises: "numbers?",
    lossIntervals: "intervals",
    measured: "measured",
  },
  mixes: {
    // Names of the models in the scores.
    model: "text",
    dense: "text",
    // Shares of the text that the model was calibrated with.
    measured: "weights",
    exponent: "amount",
    // What was made small: the mean by importance of losses to this power.
    power: "amount",
    recommended: "text",
    importance: "weights",
  },
  files: { model: "text" },
} as const satisfies Record<ArtifactKind, Record<string, MetadataType>>;

type TypesOf<K extends ArtifactKind> = (typeof metadataTypes)[K];
type ValueOf<T> = T extends MetadataType ? MetadataTypes[T] : never;
type MetadataOf<K extends ArtifactKind> = {
  readonly [N in keyof TypesOf<K> as TypesOf<K>[N] extends AbsentType ? never : N]: ValueOf<TypesOf<K>[N]>;
} & { readonly [N in keyof TypesOf<K> as TypesOf<K>[N] extends AbsentType ? N : never]?: ValueOf<TypesOf<K>[N]> };

/** What statistics are means of: inputs as they are, or those of each token divided by their root mean square; a block's own input is as it is. */
export const statisticsUnits = { plain: "mean a token", normalised: "mean a normalised token" } as const;

export interface SegmentsMetadata extends MetadataOf<"segments"> {}
export interface StatisticsMetadata extends MetadataOf<"statistics"> {}
export interface StatesMetadata extends MetadataOf<"states"> {}
export interface LastStatesMetadata extends MetadataOf<"last-states"> {}
export interface FactorsMetadata extends MetadataOf<"factors"> {}
export interface AllocationMetadata extends MetadataOf<"allocation"> {}
export interface LayersMetadata extends MetadataOf<"layers"> {}
export interface ScoresMetadata extends MetadataOf<"scores"> {}
export interface SimilarityMetadata extends MetadataOf<"similarity"> {}
export interface DamageMetadata extends MetadataOf<"damage"> {}
export interface MixesMetadata extends MetadataOf<"mixes"> {}
export interface FilesMetadata extends MetadataOf<"files"> {}

/** The metadata of each kind. */
export interface ArtifactMetadata {
  segments: SegmentsMetadata;
  statistics: StatisticsMetadata;
  states: StatesMetadata;
  "last-states": LastStatesMetadata;
  factors: FactorsMetadata;
  allocation: AllocationMetadata;
  layers: LayersMetadata;
  scores: ScoresMetadata;
  similarity: SimilarityMetadata;
  damage: DamageMetadata;
  mixes: MixesMetadata;
  files: FilesMetadata;
}

const areShares = (shares: readonly number[]): boolean => {
  const sum = shares.reduce((total, share) => total + share, 0);
  return shares.every((share) => share >= 0) && sum > 0 && Number.isFinite(sum);
};

const areShards = (value: unknown): boolean => {
  if (!isObject(value)) return false;
  const { first, count, of, ...others } = value;
  const areCounts = isCount(first) && isCount(count) && isCount(of) && Object.keys(others).length === 0;
  return areCounts && count > 0 && first + count <= of;
};
const absentTypes: readonly MetadataType[] = [
  "shards",
  "wholeTokens",
  "ofMix",
  "coverage",
  "tasks",
  "bitsPerWeight",
  "measured",
  "intervals",
] satisfies readonly AbsentType[];
const areAll = (value: unknown, is: (item: unknown) => boolean): boolean => isObject(value) && Object.values(value).every(is);

const isInterval = (value: unknown): boolean => Array.isArray(value) && value.length === 2 && value.every(Number.isFinite);

const isMeasuredDamage = (value: unknown): boolean => {
  if (!isObject(value)) return false;
  const { model, solver, damages, losses, intervals, ...others } = value;
  const areTexts = typeof model === "string" && typeof solver === "string";
  const areNumbers = areAll(damages, isAmount) && areAll(losses, Number.isFinite) && areAll(intervals, isInterval);
  return areTexts && areNumbers && Object.keys(others).length === 0;
};
const mayBeAbsent = (type: MetadataType): boolean => absentTypes.includes(type);

const fits: { readonly [T in MetadataType]: (value: unknown) => boolean } = {
  text: (value) => typeof value === "string",
  integer: Number.isSafeInteger,
  count: isCount,
  amount: isAmount,
  share: (value) => isAmount(value) && value <= 1,
  "numbers?": (value) => value === undefined || areAll(value, Number.isFinite),
  counts: (value) => areAll(value, isCount),
  weights: (value) => areAll(value, isAmount),
  "shares?": (value) =>
    value === undefined || (areAll(value, Number.isFinite) && areShares(Object.values(value as NumbersByName))),
  "mix?": (value) =>
    fits["shares?"](value) && (value === undefined || areAll(value, (share) => typeof share === "number" && share <= mostWeight)),
  texts: (value) => Array.isArray(value) && value.every((item) => typeof item === "string"),
  object: isObject,
  "object?": (value) => value === undefined || isObject(value),
  shards: areShards,
  wholeTokens: (value) => fits.counts(value),
  ofMix: (value) => fits.counts(value) && isObject(value) && areShares(Object.values(value as NumbersByName)),
  coverage: isObject,
  tasks: isObject,
  bitsPerWeight: (value) => isAmount(value) && value > 0,
  measured: isMeasuredDamage,
  intervals: (value) => areAll(value, isInterval),
};

function formatValue(value: unknown): string {
  if (typeof value === "string" || typeof value === "number") return String(value);
  return value === undefined ? "" : canonicalJson(value);
}

function parseValue(type: MetadataType, text: string): unknown {
  if (type === "text") return text;
  if (type.endsWith("?") && text === "") return undefined;
  return parseJson(text);
}

/** Typed metadata → the texts of the schema. */
export function formatMetadata<K extends ArtifactKind>(kind: K, metadata: ArtifactMetadata[K]): Record<string, string> {
  const values = new Map<string, unknown>(Object.entries(metadata));
  return Object.fromEntries(
    Object.entries(metadataTypes[kind]).flatMap(([name, type]) => {
      if (mayBeAbsent(type) && values.get(name) === undefined) return [];
      if (!fits[type](values.get(name))) {
        throw new InternalError(`${kind} metadata ${name} must be ${type}, not ${JSON.stringify(values.get(name))}`, {
          kind,
          name,
        });
      }
      return [[name, formatValue(values.get(name))]];
    }),
  );
}

/**
 * The metadata of an artifact, parsed.
 *
 * @throws {BadDataError} where a field is missing or malformed
 */
export function parseMetadata<K extends ArtifactKind>(kind: K, schema: Schema): ArtifactMetadata[K] {
  const parsed = Object.entries(metadataTypes[kind]).flatMap(([name, type]) => {
    const text = Object.hasOwn(schema.metadata, name) ? schema.metadata[name] : undefined;
    if (text === undefined) {
      if (mayBeAbsent(type)) return [];
      throw new BadDataError(`${kind} artifact without metadata "${name}"; write it again with this program`, { kind, name });
    }
    const value = parseValue(type, text);
    if (!fits[type](value)) {
      throw new BadDataError(
        `${kind} artifact: metadata "${name}" is no ${type.replace("?", "")}: ${JSON.stringify(text.slice(0, 80))}; write it again`,
        {
          kind,
          name,
        },
      );
    }
    return [[name, value]];
  });
  return Object.fromEntries(parsed) as ArtifactMetadata[K];
}
