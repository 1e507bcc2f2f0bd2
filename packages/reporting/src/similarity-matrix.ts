import type { SimilarityRecord } from "@mbs/artifacts";
import { BadDataError } from "@mbs/contracts";

/** One measure between all languages. */
export interface SimilarityMatrix {
  readonly measure: string;
  readonly languages: readonly string[];
  /** Of row and column in the order of `languages`; a language with itself has the measure's own extreme. */
  readonly values: readonly (readonly number[])[];
}

/**
 * @param measure "cosine", "degrees" or "euclidean"
 * @throws {BadDataError} when a pair is missing
 */
export function similarityMatrix(records: readonly SimilarityRecord[], measure: string): SimilarityMatrix {
  const values = new Map<string, number>();
  for (const { first, second, value, measure: name } of records) {
    if (name !== measure) continue;
    values.set(JSON.stringify([first, second]), value);
    values.set(JSON.stringify([second, first]), value);
  }
  const languages = [...new Set(records.flatMap(({ first, second }) => [first, second]))];
  const itself = measure === "cosine" ? 1 : 0;
  return {
    measure,
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
