import type { ConfigReader } from "./config.ts";
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
}

/** Waves shorter than the context by `high_freq_factor` stay, longer ones are stretched, and between them both are mixed. */
function scaleLikeLlama3(frequency: number, section: ConfigReader, config: ConfigReader): number {
  const factor = section.positive("factor");
  const low = section.positive("low_freq_factor");
  const high = section.positive("high_freq_factor");
  const context = section.optionalCount("original_max_position_embeddings") ?? config.count("max_position_embeddings");
  const turns = (context * frequency) / (2 * Math.PI);
  if (turns > high) return frequency;
  if (turns < low) return frequency / factor;
  const kept = (turns - low) / (high - low);
  return (1 - kept) * (frequency / factor) + kept * frequency;
}

/**
 * Rotary positions as a config.json asks for them, in the form that transformers 5 writes (`rope_parameters`) or the older
 * one (`rope_theta`, `rope_scaling`).
 *
 * @throws {FailedPreconditionError} naming a type of scaling that is not supported
 * @see arXiv:2306.15595 for linear scaling; arXiv:2407.21783 for that of Llama 3
 */
export function readRotary(config: ConfigReader, options: RopeOptions): Rotary {
  const { headSize, thetaKey = "rope_theta", shareKey = "partial_rotary_factor", kind, scaled = true } = options;
  const written = config.optionalSection("rope_parameters");
  const section =
    (kind === undefined ? written : written?.optionalSection(kind)) ??
    (scaled ? config.optionalSection("rope_scaling") : undefined);
  const typeKey = section?.has("rope_type") ? "rope_type" : "type";
  const type = section?.choice(typeKey, ["default", "linear", "llama3"], "default") ?? "default";
  const outer = {
    base: config.positive(thetaKey, options.theta ?? 10_000),
    share: config.positive(shareKey, options.share ?? 1),
  };
  const base = section?.positive("rope_theta", outer.base) ?? outer.base;
  const share = section?.positive("partial_rotary_factor", outer.share) ?? outer.share;
  const turned = Math.floor(headSize * share);
  if (turned % 2 !== 0 || turned > headSize) config.refuse(shareKey, `it turns ${turned} of ${headSize} elements of a head`);
  const frequencies = Float32Array.from({ length: turned / 2 }, (_, pair) => {
    const frequency = base ** ((-2 * pair) / turned);
    if (section === undefined || type === "default") return frequency;
    return type === "linear" ? frequency / section.positive("factor") : scaleLikeLlama3(frequency, section, config);
  });
  return { frequencies };
}
