import { allSites, inputSite } from "@mbs/artifacts";
import type { SimilarityRecord } from "@mbs/artifacts";
import { BadDataError, UsageError, at } from "@mbs/contracts";
import { clusterOrder } from "./cluster-order.ts";

/** The site at which languages were compared; `*` in both is the mean over all sites. */
export interface ComparedSite {
  readonly block: string;
  readonly site: string;
}

/** One measure between all languages at one site. */
export interface SimilarityMatrix extends ComparedSite {
  /** "degrees", "subspace:16", … */
  readonly measure: string;
  readonly languages: readonly string[];
  /** Of row and column in the order of `languages`; a language with itself has the measure's own extreme. */
  readonly values: readonly (readonly number[])[];
}

/** Measures that are 1 for equal languages; the others are distances, which are 0 for them. */
const likenesses: ReadonlySet<string> = new Set(["cosine", "gram", "subspace"]);

/** The name of a measure without its setting: "subspace:16" → "subspace". */
const baseName = (measure: string): string => measure.replace(/:.*$/, "");

export const isLikeness = ({ measure }: Pick<SimilarityMatrix, "measure">): boolean => likenesses.has(baseName(measure));

/** The site of the paper: the input of the first block. Records are in the order of the model. */
const firstInput = (records: readonly SimilarityRecord[]): ComparedSite | undefined =>
  records.find(({ site }) => site === inputSite) ?? records[0];

/** The site that a text names: `BLOCK/SITE`, or `mean` for the mean over all sites. @throws {UsageError} */
export function parseSite(text: string): ComparedSite {
  if (text === "mean") return { block: allSites, site: allSites };
  const slash = text.lastIndexOf("/");
  if (slash < 1) throw new UsageError(`--at takes BLOCK/SITE or mean, not ${JSON.stringify(text)}`, { option: "--at" });
  return { block: text.slice(0, slash), site: text.slice(slash + 1) };
}

/** The site in words. */
export function siteText({ block, site }: ComparedSite): string {
  if (block === allSites) return "mean over all sites";
  return site === inputSite ? `input of ${block}` : `${site} of ${block}`;
}

/**
 * Picks one measure at one site.
 *
 * @param measure "cosine", "degrees", "euclidean", "gram" or "subspace"
 * @param wanted default: the input of the first block
 * @throws {UsageError} when there is nothing of this site and measure
 * @throws {BadDataError} when a pair is missing, or all pairs are
 */
export function similarityMatrix(
  records: readonly SimilarityRecord[],
  measure: string,
  wanted: ComparedSite | undefined = firstInput(records),
): SimilarityMatrix {
  const chosen = records.filter(
    ({ block, site, measure: name }) => block === wanted?.block && site === wanted.site && baseName(name) === baseName(measure),
  );
  const [first] = chosen;
  if (wanted === undefined || first === undefined) {
    const where = wanted ? ` at ${siteText(wanted)}` : "";
    throw new UsageError(`the similarities have no ${measure}${where}; make them with --sites all, from captured Grams`, {
      measure,
    });
  }
  const values = new Map<string, number>();
  for (const { first: one, second: other, value } of chosen) {
    values.set(JSON.stringify([one, other]), value);
    values.set(JSON.stringify([other, one]), value);
  }
  const languages = [...new Set(chosen.flatMap(({ first: one, second: other }) => [one, other]))];
  if (languages.length < 2) throw new BadDataError(`similarity has ${measure} of ${languages[0]} alone; make it again`);
  const itself = isLikeness(first) ? 1 : 0;
  return {
    block: wanted.block,
    site: wanted.site,
    measure: first.measure,
    languages,
    values: languages.map((row) =>
      languages.map((column) => {
        const value = row === column ? itself : values.get(JSON.stringify([row, column]));
        if (value === undefined)
          throw new BadDataError(`similarity has no ${measure} of ${row} and ${column}; make it again`, { row, column });
        return value;
      }),
    ),
  };
}

/** A value of a matrix with its languages. */
export interface SimilarityCell {
  readonly row: string;
  readonly column: string;
  readonly value: number;
}

/** All values of a matrix, row by row. */
export const cellsOf = ({ languages, values }: SimilarityMatrix): readonly SimilarityCell[] =>
  languages.flatMap((row, i) => languages.map((column, j) => ({ row, column, value: at(at(values, i), j) })));

/** An order in which alike languages stand beside each other: positions in `languages`. */
export const alikeOrder = (matrix: SimilarityMatrix): readonly number[] =>
  clusterOrder(isLikeness(matrix) ? matrix.values.map((row) => row.map((value) => 1 - value)) : matrix.values);

/**
 * Distance between a language and a calibration mix: the mean over the mix, each language by its share.
 *
 * The language itself counts as 0, so a larger share of its own makes it nearer by construction: where a mix has text of
 * it, this is no measure of likeness apart from the amount of text.
 *
 * @param matrix of a distance, such as degrees
 * @param mix language → weight, on any scale
 * @returns undefined where a language is not in the matrix
 */
export function distanceToMix(
  { languages, values }: SimilarityMatrix,
  language: string,
  mix: Readonly<Record<string, number>>,
): number | undefined {
  const row = values[languages.indexOf(language)];
  const present = Object.entries(mix).flatMap(([other, weight]) =>
    weight > 0 ? [{ weight, distance: row?.[languages.indexOf(other)] }] : [],
  );
  const total = present.reduce((sum, { weight }) => sum + weight, 0);
  let mean = 0;
  for (const { weight, distance } of present) {
    if (distance === undefined) return undefined;
    mean += (weight / total) * distance;
  }
  return mean;
}
