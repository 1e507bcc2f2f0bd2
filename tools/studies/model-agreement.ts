import { at } from "@mbs/contracts";
import { pearson, spearman } from "@mbs/numbers";
import { mantelTest, offDiagonal } from "./mantel.ts";
import type { SquareMatrix } from "./mantel.ts";
import { mean, spread } from "./numbers.ts";
import type { Spread } from "./numbers.ts";

/** A matrix of similarities for each measure, with the languages in the same order everywhere. */
export type Matrices = ReadonlyMap<string, SquareMatrix>;

/** How alike a model finds languages. */
export interface ModelMatrices {
  readonly model: string;
  readonly architecture: string;
  /** From the pool of each seed; all models of a comparison have the same seeds. */
  readonly seeds: readonly Matrices[];
}

/** Two models' matrices of one measure compared. */
export interface Agreement {
  readonly first: string;
  readonly second: string;
  readonly sameArchitecture: boolean;
  readonly measure: string;
  /** Over seeds: both models' matrices are of one seed. */
  readonly spearman: Spread;
  /** The largest of the seeds, by Mantel's test. */
  readonly p: number;
  /** Mean over seeds. */
  readonly pearson: number;
}

const matrixOf = (matrices: Matrices, measure: string): SquareMatrix => matrices.get(measure) ?? [];

/** Every pair of what is given, in its order. */
export const pairsOf = <T>(all: readonly T[]): (readonly [T, T])[] =>
  all.flatMap((first, index) => all.slice(index + 1).map((second) => [first, second] as const));

const measuresOf = ({ seeds }: ModelMatrices): string[] => [...at(seeds, 0).keys()];

/** Every pair of models by every measure. */
export const compareModels = (models: readonly ModelMatrices[]): Agreement[] =>
  pairsOf(models).flatMap(([first, second]) =>
    measuresOf(first).map((measure) => {
      const pairs = first.seeds.map((own, seed) => [matrixOf(own, measure), matrixOf(at(second.seeds, seed), measure)] as const);
      const tests = pairs.map(([a, b]) => mantelTest("spearman", a, b));
      return {
        first: first.model,
        second: second.model,
        sameArchitecture: first.architecture === second.architecture,
        measure,
        spearman: spread(tests.map(({ value }) => value)),
        p: Math.max(...tests.map(({ p }) => p)),
        pearson: mean(pairs.map(([a, b]) => pearson(offDiagonal(a), offDiagonal(b)))),
      };
    }),
  );

/** How well a model agrees with itself on another seed's pool, over all pairs of seeds: what chance leaves. */
export const compareSeeds = (
  models: readonly ModelMatrices[],
): { readonly model: string; readonly measure: string; readonly spearman: Spread }[] =>
  models.flatMap((model) =>
    measuresOf(model).map((measure) => ({
      model: model.model,
      measure,
      spearman: spread(
        pairsOf(model.seeds).map(([a, b]) => spearman(offDiagonal(matrixOf(a, measure)), offDiagonal(matrixOf(b, measure)))),
      ),
    })),
  );
