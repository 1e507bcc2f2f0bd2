import { asksForGrid, gridOf } from "@mbs/solvers";
import type { Model } from "@mbs/models";
import { ggufTypesOf } from "../gguf-types.ts";
import type { GridOf } from "./site-weight.ts";
import type { SolverChoice } from "./solve-site.ts";

/** The types that a mixture gives the tensors of a model, by their names in it. */
async function typesOfMixture(model: Model, name: string): Promise<ReadonlyMap<string, string>> {
  const { plan, types } = await ggufTypesOf(model, name, "leave out --mixture");
  return new Map(
    plan.tensors.flatMap(({ name: written, sources }) => {
      const type = types.get(written);
      return type === undefined ? [] : sources.map((source) => [source, type.name] as const);
    }),
  );
}

/**
 * The grids that a solver's options ask for: one for all tensors, or those of a mixture.
 *
 * @returns undefined where they ask for none
 * @throws {FailedPreconditionError} where a mixture is asked for a model that GGUF does not hold
 */
export async function gridsOf({ solver, options }: SolverChoice, model: Model): Promise<GridOf | undefined> {
  if (!asksForGrid(solver, options)) return undefined;
  const { mixture } = options;
  const types = typeof mixture === "string" ? await typesOfMixture(model, mixture) : undefined;
  return (_step, tensor, columns) => gridOf(solver, options, columns, () => types?.get(tensor));
}
