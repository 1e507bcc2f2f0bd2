import { at, nameMethods } from "@mbs/contracts";
import type { ScoredModel } from "@mbs/evaluation";
import { numberOf } from "../language-order.ts";
import type { NumbersByName } from "@mbs/artifacts";
import { formatShare } from "../numbers.ts";

/** A model in the scores whose folder said how it was compressed. */
export interface CompressedModel {
  readonly name: string;
  readonly solvers: readonly string[];
  /** "sparsegpt sparsity 0.5" */
  readonly method: string;
  /** The same for models that were made alike but for the mix. */
  readonly methodKey: string;
  /** Language → share, sum 1; none of 0. Empty for a method without texts. */
  readonly mix: NumbersByName;
  /** "en alone", "equal mix", "proportional mix", "mix of 16 languages (31% en)". */
  readonly mixName: string;
}

/** Up to this total variation from the equal or the proportional mix, a mix gets its name: segments cannot be divided. */
const nearEnoughForName = 0.05;

/** Up to this total variation two mixes are the same: shares are rounded. */
const roundingOfShares = 1e-6;

function distance(first: NumbersByName, second: NumbersByName): number {
  const languages = new Set([...Object.keys(first), ...Object.keys(second)]);
  return [...languages].reduce((sum, language) => sum + Math.abs(numberOf(first, language) - numberOf(second, language)), 0) / 2;
}

function normalised(shares: NumbersByName): NumbersByName {
  const present = Object.entries(shares).filter(([, share]) => share > 0);
  const sum = present.reduce((total, [, share]) => total + share, 0);
  return Object.fromEntries(present.map(([language, share]) => [language, share / sum]));
}

/** A mix that has a name already. */
export interface NamedMix {
  readonly name: string;
  /** On any scale. */
  readonly weights: NumbersByName;
}

/**
 * A name for a calibration mix.
 *
 * @param mix of no language where a method needs no texts
 * @param training the training mixture, where it is known
 * @param named mixes by their own names
 */
export function nameMix(mix: NumbersByName, training: NumbersByName | undefined, named: readonly NamedMix[] = []): string {
  const known = named.find(({ weights }) => isSameMix(weights, mix));
  const entries = Object.entries(mix).sort(([, a], [, b]) => b - a);
  if (entries.length === 0) return "no calibration texts";
  const [most, share] = at(entries, 0);
  if (entries.length === 1) return `${most} alone`;
  if (known) return known.name;
  if (distance(mix, normalised(Object.fromEntries(entries.map(([language]) => [language, 1])))) < nearEnoughForName)
    return "equal mix";
  if (training && distance(mix, normalised(training)) < nearEnoughForName) return "proportional mix";
  const largest = entries.filter(([, other]) => formatShare(other) === formatShare(share)).map(([language]) => language);
  const shown = largest.length > 3 ? [...largest.slice(0, 3), "…"] : largest;
  return `mix of ${entries.length} languages (${formatShare(share)}${largest.length > 1 ? " each" : ""} ${shown.join(", ")})`;
}

/** Whether two mixes give every language the same share, but for rounding. */
export const isSameMix = (first: NumbersByName, second: NumbersByName): boolean =>
  distance(normalised(first), normalised(second)) < roundingOfShares;

/**
 * The models of which the scores say how they were compressed, in the order of the scores.
 *
 * @param training the training mixture, where it is known
 * @param named mixes by their own names
 */
export function compressedModels(
  models: ReadonlyMap<string, ScoredModel>,
  training: NumbersByName | undefined,
  named: readonly NamedMix[],
): readonly CompressedModel[] {
  return [...models].flatMap(([name, { made }]): CompressedModel[] => {
    const mix = normalised(made?.mix ?? {});
    if (made === undefined || made.methods.length === 0) return [];
    return [
      {
        name,
        solvers: made.methods.map(({ solver }) => solver),
        method: nameMethods(made.methods),
        methodKey: JSON.stringify([made.source, made.methods]),
        mix,
        mixName: nameMix(mix, training, named),
      },
    ];
  });
}
