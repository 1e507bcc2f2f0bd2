import { anything, count, flag, nullable, number, numbers, optional, positive, section, text } from "./config-keys.ts";
import type { ValuesOf } from "./config-keys.ts";
import type { Config } from "./config.ts";
import type { JsonObject } from "../folder/json-file.ts";
import { ropeScalings, ropeTypes } from "./rope-types.ts";
import type { RopeType } from "./rope-types.ts";
import type { Rotary } from "../graph/rotary.ts";

/** Keys of rotary positions that all types have. In transformers 5 all may stand in `rope_parameters`, and do once it saves them. */
export const ropeKeys = {
  max_position_embeddings: count(2048),
  rope_parameters: nullable(section),
  /** Where it stands beside `rope_parameters` and is not empty, it takes their place. */
  rope_scaling: nullable(section),
  original_max_position_embeddings: nullable(count(0)),
} as const;

/** Keys of those types that keep base and share by these names. */
export const outerRopeKeys = {
  rope_theta: nullable(positive(10_000), 10_000),
  partial_rotary_factor: nullable(positive(1)),
} as const;

/** Keys of a section: what the types of scaling take, absent where the section has not. */
export const ropeSectionKeys = {
  rope_type: optional(text("")),
  type: optional(text("")),
  rope_theta: optional(positive(0)),
  partial_rotary_factor: optional(positive(0)),
  factor: optional(nullable(positive(0))),
  original_max_position_embeddings: optional(count(0)),
  low_freq_factor: optional(positive(0)),
  high_freq_factor: optional(positive(0)),
  attention_factor: optional(nullable(number(0))),
  beta_fast: optional(nullable(number(0))),
  beta_slow: optional(nullable(number(0))),
  mscale: optional(nullable(number(0))),
  mscale_all_dim: optional(nullable(number(0))),
  truncate: optional(nullable(flag(true))),
  short_factor: optional(numbers),
  long_factor: optional(numbers),
  // notes of those who wrote it
  finetuned: anything,
  mrope_section: anything,
} as const;

/** Sections of the kinds of layers, where they turn differently. */
export const ropeKindKeys = { full_attention: nullable(section), sliding_attention: nullable(section) } as const;

export type RopeSection = Config<ValuesOf<typeof ropeSectionKeys>>;
type RopeConfig = Config<ValuesOf<typeof ropeKeys>>;

export interface RopeOptions {
  readonly headSize: number;
  /** Base where the section names none; it must name one where this is null. */
  readonly theta: number | null;
  /** Share of a head's elements that turn, where the section names none; null for all. */
  readonly share: number | null;
  /** Whether positions that are not scaled turn that share only; otherwise the class of transformers does not look at it. */
  readonly partial: boolean;
  /** Types of scaling by the names that this class takes; default all. */
  readonly types?: Readonly<Record<string, RopeType>>;
  /** Of the text of training, where that of the configuration counts whatever the section says. */
  readonly context?: number;
}

/** Kinds of layers, for which one type alone has sections of their own. */
const kinds = ["full_attention", "sliding_attention"];

/** The part of a configuration that speaks of rotary positions, if there is one. */
export function ropeSection({ values, has }: Config<Pick<ValuesOf<typeof ropeKeys>, "rope_parameters" | "rope_scaling">>): {
  readonly key: string;
  readonly part: JsonObject;
} {
  const { rope_scaling: scaling, rope_parameters: parameters } = values;
  return has("rope_scaling") && scaling !== null && Object.keys(scaling).length > 0
    ? { key: "rope_scaling", part: scaling }
    : { key: "rope_parameters", part: parameters ?? {} };
}

/** Rotary positions of all layers alike. @throws {FailedPreconditionError} naming a type of scaling that is not supported */
export function readRotary(config: RopeConfig, options: RopeOptions): Rotary {
  const { key, part } = ropeSection(config);
  const nested = kinds.find((kind) => Object.hasOwn(part, kind));
  if (nested !== undefined)
    config.refuse(key, `all layers of this type have one section; write what stands in ${nested} in its place`);
  return rotaryOf(config.section(key, part, ropeSectionKeys), config, options);
}

/** Rotary positions of one section. */
export function rotaryOf(section: RopeSection, config: RopeConfig, options: RopeOptions): Rotary {
  const { headSize, types = ropeTypes } = options;
  const { values } = section;
  const typeKey = section.has("rope_type") ? "rope_type" : "type";
  const name = values[typeKey] ?? "default";
  const type = types[name] ?? section.refuse(typeKey, `supported: ${Object.keys(types).join(", ")}`);
  const base = values.rope_theta ?? options.theta ?? section.broken("rope_theta", "above 0");
  const share = type === "default" && !options.partial ? null : (values.partial_rotary_factor ?? options.share);
  const turned = Math.floor(headSize * (share ?? 1));
  if (turned % 2 !== 0 || turned === 0 || turned > headSize || (!options.partial && turned !== headSize)) {
    section.refuse("partial_rotary_factor", `${turned} of ${headSize} elements of a head would turn`);
  }
  const frequencies = Array.from({ length: turned / 2 }, (_, pair) => base ** ((-2 * pair) / turned));
  const positions = config.values.max_position_embeddings;
  const context = (): number => {
    if (options.context !== undefined) return options.context;
    const outer = "original_max_position_embeddings";
    // like transformers, what stands outside goes before what stands in the section
    if (config.has(outer)) return config.values[outer] ?? config.broken(outer, "a whole number, at least 1");
    return values[outer] ?? positions;
  };
  return ropeScalings[type]({ base, turned, frequencies, context, positions }, section);
}
