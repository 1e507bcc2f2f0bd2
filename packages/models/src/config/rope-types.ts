import { at } from "@mbs/contracts";
import type { Rotary } from "../graph/rotary.ts";
import type { RopeSection } from "./rope-keys.ts";

/** Rotary positions before they are scaled. */
export interface PlainRotary {
  readonly base: number;
  /** Elements of a head that turn. */
  readonly turned: number;
  /** Radians a position, base^(-2·pair / turned). */
  readonly frequencies: readonly number[];
  /** Tokens of a text of training, before the context was extended. */
  readonly context: () => number;
  /** Tokens of the longest text, `max_position_embeddings`. */
  readonly positions: number;
}

type Scaling = (plain: PlainRotary, section: RopeSection) => Rotary;

/** A number that a type of scaling requires. */
function required(section: RopeSection, key: "factor" | "low_freq_factor" | "high_freq_factor"): number {
  return section.values[key] ?? section.broken(key, "above 0");
}

/** Hunyuan's base for longer texts. @param turned elements of a head that turn */
export const stretchedBase = (base: number, alpha: number, turned: number): number => base * alpha ** (turned / (turned - 2));

const linear: Scaling = ({ frequencies }, section) => {
  const factor = required(section, "factor");
  return { frequencies: Float32Array.from(frequencies, (frequency) => frequency / factor) };
};

/** Waves shorter than the context by `high_freq_factor` stay, longer ones are stretched, and between them both are mixed. */
const llama3: Scaling = ({ frequencies, context }, section) => {
  const trained = context();
  const factor = required(section, "factor");
  const low = required(section, "low_freq_factor");
  const high = required(section, "high_freq_factor");
  const scale = (frequency: number): number => {
    const turns = (trained * frequency) / (2 * Math.PI);
    if (turns > high) return frequency;
    if (turns < low) return frequency / factor;
    const kept = (turns - low) / (high - low);
    return (1 - kept) * (frequency / factor) + kept * frequency;
  };
  return { frequencies: Float32Array.from(frequencies, scale) };
};

/** YaRN's temperature. */
const temperature = (factor: number, weight: number): number => (factor <= 1 ? 1 : 0.1 * weight * Math.log(factor) + 1);

/**
 * Waves that turn at least `beta_fast` times in the context stay, those below `beta_slow` are stretched, and between them
 * both are mixed, by the index of the pair; cosines and sines are scaled.
 */
const yarn: Scaling = ({ base, turned, frequencies, context, positions }, section) => {
  const trained = context();
  const { values } = section;
  if (!section.has("factor")) section.broken("factor", "above 0, or null for the ratio of the two contexts");
  const factor = values.factor ?? positions / trained;
  const { mscale, mscale_all_dim: mscaleAll } = values;
  // a weight of 0 counts as absent
  const amplitude = mscale && mscaleAll ? temperature(factor, mscale) / temperature(factor, mscaleAll) : temperature(factor, 1);
  const pairOf = (turns: number): number => (turned * Math.log(trained / (turns * 2 * Math.PI))) / (2 * Math.log(base));
  // like transformers, null counts as false
  const whole = section.has("truncate") ? values.truncate === true : true;
  const [first, last] = [pairOf(values.beta_fast || 32), pairOf(values.beta_slow || 1)];
  const low = Math.max(whole ? Math.floor(first) : first, 0);
  const high = Math.min(whole ? Math.ceil(last) : last, turned - 1);
  const scale = (frequency: number, pair: number): number => {
    const stretched = Math.min(Math.max((pair - low) / (high === low ? 0.001 : high - low), 0), 1);
    return stretched * (frequency / factor) + (1 - stretched) * frequency;
  };
  return {
    frequencies: Float32Array.from(frequencies, scale),
    amplitude: values.attention_factor ?? amplitude,
  };
};

/** Each frequency is divided by a factor of its own; texts longer than the context of training have other factors. */
const longrope: Scaling = ({ frequencies, context, positions }, section) => {
  const trained = context();
  const { values } = section;
  const factor = values.factor ?? positions / trained;
  const divided = (key: "short_factor" | "long_factor"): Float32Array => {
    const factors = values[key] ?? section.broken(key, "a list of numbers above 0");
    if (factors.length !== frequencies.length) section.broken(key, `${frequencies.length} numbers, one a frequency`);
    return Float32Array.from(frequencies, (frequency, pair) => frequency / at(factors, pair));
  };
  const amplitude = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(trained));
  return {
    frequencies: divided("short_factor"),
    long: { beyond: trained, frequencies: divided("long_factor") },
    amplitude: values.attention_factor ?? amplitude,
  };
};

/** A share of the pairs turns, the first ones, at the frequencies that they have where all turn. */
const proportional: Scaling = ({ turned, frequencies }, { values }) => {
  const pairs = Math.floor(((values.partial_rotary_factor ?? 1) * turned) / 2);
  const factor = values.factor ?? 1;
  return { frequencies: Float32Array.from(frequencies, (frequency, pair) => (pair < pairs ? frequency / factor : 0)) };
};

/** The base is stretched once, whatever the length of a text. */
const alpha: Scaling = ({ base, turned, frequencies }, section) => {
  const stretch =
    section.values.alpha ?? section.refuse("rope_type", "it has no alpha, and frequencies that follow a text's length are not");
  // of the type `dynamic`: it has to be there, and is not used
  required(section, "factor");
  const stretched = stretchedBase(base, stretch, turned);
  return { frequencies: Float32Array.from(frequencies, (_, pair) => stretched ** ((-2 * pair) / turned)) };
};

/** @see arXiv:2306.15595 for linear, 2407.21783 for llama3, 2309.00071 for yarn, 2402.13753 for longrope */
export const ropeScalings = {
  default: ({ frequencies }) => ({ frequencies: Float32Array.from(frequencies) }),
  linear,
  llama3,
  yarn,
  longrope,
  proportional,
  alpha,
} as const satisfies Readonly<Record<string, Scaling>>;

export type RopeType = keyof typeof ropeScalings;

/** The types of scaling by their values of `rope_type`. */
export const ropeTypes: Readonly<Record<string, RopeType>> = {
  default: "default",
  linear: "linear",
  llama3: "llama3",
  yarn: "yarn",
  longrope: "longrope",
};
