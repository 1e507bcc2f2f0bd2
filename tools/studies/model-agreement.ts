import { pearson, spearman } from "@mbs/numbers";
import { mantelTest, offDiagonal } from "./mantel.ts";
import type { CorrelationTest, SquareMatrix } from "./mantel.ts";

/** How alike a model finds languages, by each measure; every matrix has the languages in the same order. */
export interface ModelMatrices {
  readonly model: string;
  readonly architecture: string;
  readonly measures: ReadonlyMap<string, SquareMatrix>;
  /** The same from another seed's pool. */
  readonly again: ReadonlyMap<string, SquareMatrix>;
}

/** Two models' matrices of one measure compared. */
export interface Agreement {
  readonly first: string;
  readonly second: string;
  readonly sameArchitecture: boolean;
  readonly measure: string;
  readonly spearman: CorrelationTest;
  readonly pearson: number;
}

const matrixOf = (measures: ReadonlyMap<string, SquareMatrix>, measure: string): SquareMatrix => measures.get(measure) ?? [];

/** Every pair of models, in the order given. */
export const pairsOf = <T>(models: readonly T[]): (readonly [T, T])[] =>
  models.flatMap((first, index) => models.slice(index + 1).map((second) => [first, second] as const));

/** Every pair of models by every measure. */
export const compareModels = (models: readonly ModelMatrices[]): Agreement[] =>
  pairsOf(models).flatMap(([first, second]) =>
    [...first.measures].map(([measure, matrix]) => {
      const other = matrixOf(second.measures, measure);
      return {
        first: first.model,
        second: second.model,
        sameArchitecture: first.architecture === second.architecture,
        measure,
        spearman: mantelTest(spearman, matrix, other),
        pearson: pearson(offDiagonal(matrix), offDiagonal(other)),
      };
    }),
  );

/** How well a model agrees with itself on another seed's pool: what chance leaves. */
export const compareSeeds = (
  models: readonly ModelMatrices[],
): { readonly model: string; readonly measure: string; readonly spearman: number }[] =>
  models.flatMap(({ model, measures, again }) =>
    [...measures].map(([measure, matrix]) => ({
      model,
      measure,
      spearman: spearman(offDiagonal(matrix), offDiagonal(matrixOf(again, measure))),
    })),
  );
