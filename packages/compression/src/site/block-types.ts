import { fittingType, type BlockType } from "@mbs/gguf";
import type { Model } from "@mbs/models";
import { ggufTypesOf } from "../gguf-types.ts";
import type { SolverChoice } from "./solve-site.ts";
import type { TypeOf } from "./site-weight.ts";

/** The types that a mixture gives the tensors of a model, by their names in it. */
async function typesOfMixture(model: Model, name: string): Promise<ReadonlyMap<string, BlockType>> {
  const { plan, types } = await ggufTypesOf(model, name, "leave out --mixture");
  return new Map(
    plan.tensors.flatMap(({ name: written, sources }) => {
      const type = types.get(written);
      return type === undefined ? [] : sources.map((source) => [source, type] as const);
    }),
  );
}

/**
 * The block type of GGUF of each weight that a solver's options ask for: one for all, or those of a mixture.
 *
 * @returns undefined where they ask for none
 * @throws {FailedPreconditionError} where a mixture is asked for a model that GGUF does not hold
 */
export async function blockTypesOf({ options }: SolverChoice, model: Model): Promise<TypeOf | undefined> {
  const { grid, mixture } = options;
  if (typeof grid === "string") return (_, columns) => fittingType(grid, columns);
  if (typeof mixture !== "string") return undefined;
  const types = await typesOfMixture(model, mixture);
  return (tensor) => types.get(tensor);
}
