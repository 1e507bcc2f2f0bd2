import { FailedPreconditionError } from "@mbs/contracts";
import { fittingType, mixtureNamed, type BlockType } from "@mbs/gguf";
import { ggufTypes, planGguf, requireGgufModel, type Model } from "@mbs/models";
import type { SolverChoice } from "./solve-site.ts";
import type { TypeOf } from "./site-weight.ts";

/** The types that a mixture gives the tensors of a model, by their names in it. */
async function typesOfMixture(model: Model, name: string): Promise<ReadonlyMap<string, BlockType>> {
  if (model.kind !== "architecture") {
    throw new FailedPreconditionError(`${model.path} is an ONNX model, of which no GGUF file is made; leave out --mixture`, {
      option: "--mixture",
    });
  }
  requireGgufModel(model);
  const plan = await planGguf(model, new Map());
  const types = ggufTypes(plan, mixtureNamed(name));
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
