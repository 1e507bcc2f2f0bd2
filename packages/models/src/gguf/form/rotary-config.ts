import { at } from "@mbs/contracts";
import type { GgufContents } from "./gguf-form.ts";

/** What llama.cpp takes where a file names no base. */
const defaultBase = 10_000;

const close = (a: number, b: number): boolean => Math.abs(a - b) <= 1e-5 * Math.abs(b);

/** What Llama 3's way of scaling takes beside the factor. */
interface Llama3Scaling {
  readonly low_freq_factor: number;
  readonly high_freq_factor: number;
  readonly original_max_position_embeddings: number;
}

/** The parameters of Llama 3 that its models have. */
const llama3: Llama3Scaling = { low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8192 };

/** Factors by which Llama 3 divides the frequencies of rotary pairs. */
export function llama3Factors(base: number, pairs: number, factor: number, scaling: Llama3Scaling): number[] {
  const { low_freq_factor: low, high_freq_factor: high, original_max_position_embeddings: context } = scaling;
  return Array.from({ length: pairs }, (_, pair) => {
    const turns = (context * base ** (-pair / pairs)) / (2 * Math.PI);
    if (turns > high) return 1;
    if (turns < low) return factor;
    const kept = (turns - low) / (high - low);
    return 1 / ((1 - kept) / factor + kept);
  });
}

/**
 * The section of config.json for factors that a file stores for each pair: that of Llama 3 where its usual parameters make
 * these factors, else the same factors for short and long texts.
 */
function factorSection(factors: readonly number[], base: number): Record<string, unknown> {
  const factor = Math.max(...factors);
  const usual = llama3Factors(base, factors.length, factor, llama3);
  if (factors.every((value, pair) => close(value, at(usual, pair)))) return { rope_type: "llama3", factor, ...llama3 };
  return { rope_type: "longrope", factor: 1, attention_factor: 1, short_factor: factors, long_factor: factors };
}

/**
 * `rope_parameters` of config.json.
 *
 * @param contextLength tokens of the longest text
 */
export function rotaryConfig(contents: GgufContents, contextLength: number): Record<string, unknown> {
  const { metadata, tensors, read } = contents;
  const base = metadata.findNumber("rope.freq_base") ?? defaultBase;
  const type = metadata.findText("rope.scaling.type");
  const linear = metadata.findNumber("rope.scale_linear");
  const factor = metadata.findNumber("rope.scaling.factor") ?? linear;
  const trained = metadata.findCount("rope.scaling.original_context_length");
  const attention = metadata.findNumber("rope.scaling.attn_factor");
  metadata.find("rope.scaling.finetuned");
  const long = tensors.has("rope_factors_long.weight");
  const section = (): Record<string, unknown> => {
    if (tensors.has("rope_freqs.weight")) {
      if (type !== undefined && type !== "none") metadata.refuse("rope.scaling.type", "the file has rope_freqs.weight too");
      return factorSection(read("rope_freqs.weight"), base);
    }
    if (long) {
      return {
        rope_type: "longrope",
        short_factor: read("rope_factors_short.weight"),
        long_factor: read("rope_factors_long.weight"),
        original_max_position_embeddings: trained ?? contextLength,
        factor: contextLength / (trained ?? contextLength),
        ...(attention !== undefined && { attention_factor: attention }),
      };
    }
    if (attention !== undefined && attention !== 1) metadata.refuse("rope.scaling.attn_factor", "only 1 is");
    switch (type ?? (linear === undefined ? "none" : "linear")) {
      case "none":
        return { rope_type: "default" };
      case "linear":
        return factor === undefined || factor === 1 ? { rope_type: "default" } : { rope_type: "linear", factor };
      case "yarn": {
        const attentionFactor = metadata.findNumber("rope.scaling.yarn_attn_factor");
        const [fast, slow] = [
          metadata.findNumber("rope.scaling.yarn_beta_fast"),
          metadata.findNumber("rope.scaling.yarn_beta_slow"),
        ];
        const extrapolated = metadata.findNumber("rope.scaling.yarn_ext_factor");
        if (extrapolated !== undefined && extrapolated !== 1) metadata.refuse("rope.scaling.yarn_ext_factor", "only 1 is");
        return {
          rope_type: "yarn",
          factor: factor ?? metadata.broken("rope.scaling.factor", "a number"),
          original_max_position_embeddings: trained ?? contextLength,
          ...(attentionFactor !== undefined && { attention_factor: attentionFactor }),
          ...(fast !== undefined && { beta_fast: fast }),
          ...(slow !== undefined && { beta_slow: slow }),
        };
      }
      default:
        return metadata.refuse("rope.scaling.type", "supported: none, linear, yarn; longrope with its factors in the file");
    }
  };
  return { rope_theta: base, ...section() };
}
