import type { ConfigReader } from "./config.ts";
import type { Rotary } from "./rotary.ts";

/** Rotary positions before they are scaled. */
export interface PlainRotary {
  readonly base: number;
  /** Elements of a head that turn. */
  readonly turned: number;
  /** Radians a position, base^(-2·pair / turned). */
  readonly frequencies: readonly number[];
  /** Tokens of a text of training, before the context was extended. */
  readonly context: () => number;
}

/** Where a type of scaling finds its numbers: its own section, and the whole configuration. */
export interface RopeSource {
  readonly section: ConfigReader;
  readonly config: ConfigReader;
}

type Scaling = (plain: PlainRotary, source: RopeSource) => Rotary;

const linear: Scaling = ({ frequencies }, { section }) => {
  const factor = section.positive("factor");
  return { frequencies: Float32Array.from(frequencies, (frequency) => frequency / factor) };
};

/** Waves shorter than the context by `high_freq_factor` stay, longer ones are stretched, and between them both are mixed. */
const llama3: Scaling = ({ frequencies, context }, { section }) => {
  const trained = context();
  const factor = section.positive("factor");
  const low = section.positive("low_freq_factor");
  const high = section.positive("high_freq_factor");
  const scale = (frequency: number): number => {
    const turns = (trained * frequency) / (2 * Math.PI);
    if (turns > high) return frequency;
    if (turns < low) return frequency / factor;
    const kept = (turns - low) / (high - low);
    return (1 - kept) * (frequency / factor) + kept * frequency;
  };
  return { frequencies: Float32Array.from(frequencies, scale) };
};

/** How many times longer texts are than those of training: stated, or by the two context lengths. */
const extension = ({ section, config }: RopeSource, trained: number): number =>
  section.optionalNumber("factor") === undefined ? config.count("max_position_embeddings") / trained : section.positive("factor");

/** YaRN's temperature. */
const temperature = (factor: number, weight: number): number => (factor <= 1 ? 1 : 0.1 * weight * Math.log(factor) + 1);

/**
 * Waves that turn at least `beta_fast` times in the context stay, those below `beta_slow` are stretched, and between them
 * both are mixed, by the place of the pair; cosines and sines are scaled.
 */
const yarn: Scaling = ({ base, turned, frequencies, context }, source) => {
  const { section } = source;
  const trained = context();
  const factor = extension(source, trained);
  const [mscale, mscaleAll] = [section.optionalNumber("mscale"), section.optionalNumber("mscale_all_dim")];
  // a weight of 0 counts as absent
  const amplitude = mscale && mscaleAll ? temperature(factor, mscale) / temperature(factor, mscaleAll) : temperature(factor, 1);
  const pairOf = (turns: number): number => (turned * Math.log(trained / (turns * 2 * Math.PI))) / (2 * Math.log(base));
  const whole = section.flag("truncate", true);
  const [first, last] = [pairOf(section.positive("beta_fast", 32)), pairOf(section.positive("beta_slow", 1))];
  const low = Math.max(whole ? Math.floor(first) : first, 0);
  const high = Math.min(whole ? Math.ceil(last) : last, turned - 1);
  const scale = (frequency: number, pair: number): number => {
    const stretched = Math.min(Math.max((pair - low) / (high === low ? 0.001 : high - low), 0), 1);
    return stretched * (frequency / factor) + (1 - stretched) * frequency;
  };
  return {
    frequencies: Float32Array.from(frequencies, scale),
    amplitude: section.optionalNumber("attention_factor") ?? amplitude,
  };
};

/** Each frequency is divided by a factor of its own; texts longer than those of training have other factors. */
const longrope: Scaling = ({ frequencies, context }, source) => {
  const { section } = source;
  const trained = context();
  const factor = extension(source, trained);
  const divided = (key: string): Float32Array => {
    const factors = section.numbers(key);
    if (factors.length !== frequencies.length) section.broken(key, `${frequencies.length} numbers, one a frequency`);
    return Float32Array.from(frequencies, (frequency, pair) => frequency / (factors[pair] ?? 1));
  };
  const amplitude = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(trained));
  return {
    frequencies: divided("short_factor"),
    long: { beyond: trained, frequencies: divided("long_factor") },
    amplitude: section.optionalNumber("attention_factor") ?? amplitude,
  };
};

/** Supported values of `rope_type`; "su" is the name of longrope in older configurations. */
export const ropeTypes = ["default", "linear", "llama3", "yarn", "longrope", "su"] as const;

/** @see arXiv:2306.15595 for linear, 2407.21783 for llama3, 2309.00071 for yarn, 2402.13753 for longrope */
export const ropeScalings: Readonly<Record<(typeof ropeTypes)[number], Scaling>> = {
  default: ({ frequencies }) => ({ frequencies: Float32Array.from(frequencies) }),
  linear,
  llama3,
  yarn,
  longrope,
  su: longrope,
};
