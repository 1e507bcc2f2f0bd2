import { languageWeights } from "@mbs/contracts";
import type { LanguageMix } from "@mbs/contracts";
import { parseMix, readDistribution, sharesOf } from "@mbs/corpora";

/** A mix by name, for `imatrix.datasets`. */
export interface NamedMix {
  readonly name: string;
  /** Absent where each language weighs as many tokens as were seen of it. */
  readonly weights: LanguageMix | undefined;
}

/** What turns a mix into weights. */
export interface MixSources {
  /** Of the statistics. */
  readonly languages: readonly string[];
  /** What was given to capture. */
  readonly captured: LanguageMix | undefined;
  /** A preset, a JSON file or a model folder with a distribution.json. */
  readonly distribution: string;
  readonly warn: (message: string) => void;
}

/**
 * The mix that is asked for; without one as in `mbs factor`: the mix that was given to capture, else the tokens seen.
 *
 * @param asked value of `--mix`
 */
export async function findMix(asked: string | undefined, sources: MixSources): Promise<NamedMix> {
  const { languages, captured, warn } = sources;
  if (asked === undefined) {
    return captured === undefined ? { name: "by tokens", weights: undefined } : { name: "mix of capture", weights: captured };
  }
  const mix = parseMix(asked);
  const weights = await sharesOf(mix, {
    languages,
    origin: "the statistics saw",
    distribution: async () => {
      const found = await readDistribution(sources.distribution);
      if (found.unit === "bytes") {
        warn(`the shares of ${found.name} are of bytes and taken as shares of tokens here, since no text is at hand`);
      }
      return found;
    },
    tokensPerByte: () => Promise.resolve(1),
    warn,
  });
  return { name: mix.kind === "temperature" ? `temperature ${mix.alpha}` : mix.kind, weights };
}

/** llama-quantize copies the first entry of the datasets into the model it writes, and cuts it off after so many bytes. */
const copiedBytes = 127;

const short = (weight: number): string => String(Number(weight.toPrecision(4)));

/**
 * What `imatrix.datasets` says: the whole mix, then a line a language. One language alone is one line.
 *
 * @param tokens language → tokens seen
 */
export function describeMix({ name, weights }: NamedMix, tokens: ReadonlyMap<string, number>): readonly string[] {
  const used = Object.entries(languageWeights(tokens, weights))
    .filter(([, weight]) => weight > 0)
    .sort(([a, first], [b, second]) => second - first || (a < b ? -1 : 1))
    .map(([language, weight]) => `${language}=${short(weight)}`);
  if (used.length === 1) return used;
  let shown = used.length;
  const summary = (): string =>
    `${name}: ${used.slice(0, shown).join(",")}${shown < used.length ? `,… ${used.length} languages` : ""}`;
  while (shown > 1 && new TextEncoder().encode(summary()).length > copiedBytes) shown -= 1;
  return [summary(), ...used];
}
