import type { JsonObject } from "../folder/json-file.ts";
import { anything, count, flag, nullable, number, numbers, optional, positive, section, text } from "./config-keys.ts";
import type { ValuesOf } from "./config-keys.ts";
import type { Config } from "./config.ts";

/** Keys of rotary positions that all types have. transformers 5 also reads them from `rope_parameters`, and saves them there. */
export const ropeKeys = {
  max_position_embeddings: count(2048),
  rope_parameters: nullable(section),
  /** Where it is there and not empty, it counts instead of `rope_parameters`. */
  rope_scaling: nullable(section),
  original_max_position_embeddings: nullable(count(0)),
} as const;

/** Base and share outside of the section, of the types that name them so. */
export const outerRopeKeys = {
  rope_theta: nullable(positive(10_000), 10_000),
  partial_rotary_factor: nullable(positive(1)),
} as const;

/** Keys of a section, for all types of scaling. */
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
  alpha: optional(positive(0)),
  short_factor: optional(numbers),
  long_factor: optional(numbers),
  llama_4_scaling_beta: optional(nullable(number(0))),
  // not read; positions of text alone are the same in all of its parts
  finetuned: anything,
  mrope_section: anything,
  mrope_interleaved: anything,
} as const;

/** Sections by kind of layer, where the kinds have positions of their own. */
export const ropeKindKeys = { full_attention: nullable(section), sliding_attention: nullable(section) } as const;

export type RopeSection = Config<ValuesOf<typeof ropeSectionKeys>>;
export type RopeConfig = Config<ValuesOf<typeof ropeKeys>>;

/** The section of a configuration about rotary positions; empty where there is none. */
export function ropeSection({ values, has }: Config<Pick<ValuesOf<typeof ropeKeys>, "rope_parameters" | "rope_scaling">>): {
  readonly key: string;
  readonly part: JsonObject;
} {
  const { rope_scaling: scaling, rope_parameters: parameters } = values;
  return has("rope_scaling") && scaling !== null && Object.keys(scaling).length > 0
    ? { key: "rope_scaling", part: scaling }
    : { key: "rope_parameters", part: parameters ?? {} };
}
