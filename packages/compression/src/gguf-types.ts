import { FailedPreconditionError } from "@mbs/contracts";
import { typeMixNamed, type QuantisationType } from "@mbs/gguf";
import { ggufTypes, planGguf, type GgufPlan, type Model } from "@mbs/models";

/** Plans of open models: of a large vocabulary one takes seconds, and sizes of many type mixes are asked for. */
const plans = new WeakMap<Model, Promise<GgufPlan>>();

/**
 * The GGUF file that is made of a model.
 *
 * @param remedy what to do where none is
 * @returns the plan, and by their names in the file the types that a type mix gives its tensors
 * @throws {FailedPreconditionError} where GGUF does not hold the model
 */
export async function ggufTypesOf(
  model: Model,
  typeMix: string,
  remedy: string,
): Promise<{ readonly plan: GgufPlan; readonly types: ReadonlyMap<string, QuantisationType> }> {
  if (model.kind !== "architecture") {
    throw new FailedPreconditionError(`${model.path} is an ONNX model, of which no GGUF file is made; ${remedy}`);
  }
  const planned = plans.get(model) ?? planGguf(model, new Map());
  plans.set(model, planned);
  const plan = await planned;
  return { plan, types: ggufTypes(plan, typeMixNamed(typeMix)) };
}
