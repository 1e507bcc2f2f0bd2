import type { ConfigReader } from "./config.ts";
import { ropeScalings, ropeTypes } from "./rope-types.ts";
import type { Rotary } from "./rotary.ts";

export interface RopeOptions {
  readonly headSize: number;
  /** Base where the configuration names none. Default 10,000. */
  readonly theta?: number;
  /** Share of a head's elements that turn, where the configuration names none. Default 1. */
  readonly share?: number;
  /** Key under which older configurations keep the base. Default "rope_theta". */
  readonly thetaKey?: string;
  /** Key under which older configurations keep the share. Default "partial_rotary_factor". */
  readonly shareKey?: string;
  /** Name of the kind of layer, where `rope_parameters` has a section for each kind. */
  readonly kind?: string;
  /** False for a kind of layer that older configurations' `rope_scaling` does not speak of. Default true. */
  readonly scaled?: boolean;
  /** Tokens of training where the configuration names none. Default `max_position_embeddings`. */
  readonly context?: number;
}

const contextKey = "original_max_position_embeddings";

/**
 * Rotary positions as a config.json asks for them, in the form that transformers 5 writes (`rope_parameters`) or the older
 * one (`rope_theta`, `rope_scaling`).
 *
 * @throws {FailedPreconditionError} naming a type of scaling that is not supported, and those that are
 */
export function readRotary(config: ConfigReader, options: RopeOptions): Rotary {
  const { headSize, thetaKey = "rope_theta", shareKey = "partial_rotary_factor", kind, scaled = true } = options;
  const written = config.optionalSection("rope_parameters");
  const section =
    (kind === undefined ? written : written?.optionalSection(kind)) ??
    (scaled ? config.optionalSection("rope_scaling") : undefined);
  const type = section?.choice(section.has("rope_type") ? "rope_type" : "type", ropeTypes, "default") ?? "default";
  const outer = {
    base: config.positive(thetaKey, options.theta ?? 10_000),
    share: config.positive(shareKey, options.share ?? 1),
  };
  const base = section?.positive("rope_theta", outer.base) ?? outer.base;
  const share = section?.positive("partial_rotary_factor", outer.share) ?? outer.share;
  const turned = Math.floor(headSize * share);
  if (turned % 2 !== 0 || turned > headSize) config.refuse(shareKey, `it turns ${turned} of ${headSize} elements of a head`);
  const frequencies = Array.from({ length: turned / 2 }, (_, pair) => base ** ((-2 * pair) / turned));
  if (section === undefined || type === "default") return { frequencies: Float32Array.from(frequencies) };
  // like transformers, what stands outside goes before what stands in the section
  const context = (): number =>
    config.optionalCount(contextKey) ??
    section.optionalCount(contextKey) ??
    options.context ??
    config.count("max_position_embeddings");
  return ropeScalings[type]({ base, turned, frequencies, context }, { section, config });
}
