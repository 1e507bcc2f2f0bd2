import type { JsonObject } from "../folder/json-file.ts";
import type { Rotary } from "../graph/rotary.ts";
import { ropeSection, ropeSectionKeys } from "./rope-keys.ts";
import type { RopeConfig, RopeSection } from "./rope-keys.ts";
import { ropeScalings, ropeTypes } from "./rope-types.ts";
import type { RopeType } from "./rope-types.ts";

export interface RopeOptions {
  readonly headSize: number;
  /** Base where the section names none; it must name one where this is null. */
  readonly theta: number | null;
  /** Share of a head's elements that turn, where the section names none; null for all. */
  readonly share: number | null;
  /** Whether the share also counts where positions are not scaled; some classes of transformers ignore it there. */
  readonly partial: boolean;
  /** Types of scaling by the names that this class supports; default all. */
  readonly types?: Readonly<Record<string, RopeType>>;
  /** Tokens of a text of training, where the configuration's value counts instead of the section's. */
  readonly context?: number;
}

/** Kinds of layers: only Gemma 3 has a section for each. */
const kinds = ["full_attention", "sliding_attention"];

/**
 * The section that all layers share.
 *
 * @param usual where the configuration has none
 * @throws {FailedPreconditionError} where it has one for each kind of layer
 */
export function sharedSection(config: RopeConfig, usual: JsonObject = {}): RopeSection {
  const { key, part } = ropeSection(config);
  const nested = kinds.find((kind) => Object.hasOwn(part, kind));
  if (nested !== undefined)
    config.refuse(key, `all layers of this type share one section; replace it by the content of ${nested}`);
  const isGiven = key === "rope_scaling" || config.values.rope_parameters !== null;
  return config.section(key, isGiven ? part : usual, ropeSectionKeys);
}

/** Rotary positions of all layers alike. @throws {FailedPreconditionError} naming a type of scaling that is not supported */
export const readRotary = (config: RopeConfig, options: RopeOptions): Rotary => rotaryOf(sharedSection(config), config, options);

/** Rotary positions of one section. */
export function rotaryOf(section: RopeSection, config: RopeConfig, options: RopeOptions): Rotary {
  const { headSize, types = ropeTypes } = options;
  const { values } = section;
  const typeKey = section.has("rope_type") ? "rope_type" : "type";
  const name = values[typeKey] ?? "default";
  const type =
    (Object.hasOwn(types, name) ? types[name] : undefined) ??
    section.refuse(typeKey, `supported: ${Object.keys(types).join(", ")}`);
  const base = values.rope_theta ?? options.theta ?? section.broken("rope_theta", "above 0");
  const isWhole = type === "proportional" || (type === "default" && !options.partial);
  const share = isWhole ? null : (values.partial_rotary_factor ?? options.share);
  const turned = Math.floor(headSize * (share ?? 1));
  if (turned % 2 !== 0 || turned === 0 || turned > headSize || (!options.partial && turned !== headSize)) {
    section.refuse("partial_rotary_factor", `${turned} of ${headSize} elements of a head would turn`);
  }
  const frequencies = Array.from({ length: turned / 2 }, (_, pair) => base ** ((-2 * pair) / turned));
  const positions = config.values.max_position_embeddings;
  const context = (): number => {
    if (options.context !== undefined) return options.context;
    const outer = "original_max_position_embeddings";
    // like transformers, the key outside of the section goes first
    if (config.has(outer)) return config.values[outer] ?? config.broken(outer, "a whole number, at least 1");
    return values[outer] ?? positions;
  };
  return ropeScalings[type]({ base, turned, frequencies, context, positions }, section);
}
