import type { JsonObject } from "../folder/json-file.ts";
import { anything, count, flag, nullable, number, numbers, optional, positive, section, text } from "./config-keys.ts";
import type { ValuesOf } from "./config-keys.ts";
import type { Config } from "./config.ts";

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
export type RopeConfig = Config<ValuesOf<typeof ropeKeys>>;

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
