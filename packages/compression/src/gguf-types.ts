import { FailedPreconditionError } from "@mbs/contracts";
import { typeMixNamed, type QuantisationType } from "@mbs/gguf";
import { ggufTypes, planGguf, planGgufTensors, type ArchitectureModel, type GgufPlan, type Model } from "@mbs/models";

/** Plans of open models with their tokenizers: of a large vocabulary one takes seconds, and sizes of many type mixes are asked for. */
const plans = new WeakMap<Model, Promise<GgufPlan>>();

function requireNoGraph(model: Model, remedy: string): asserts model is ArchitectureModel {
  if (model.kind === "architecture") return;
  throw new FailedPreconditionError(`${model.path} is an ONNX model, of which no GGUF file is made; ${remedy}`);
}

/**
 * The tensors of the GGUF file that is made of a model.
 *
 * @param remedy what to do where none is
 * @returns them, and by their names in the file the types that a type mix gives them
 * @throws {FailedPreconditionError} where GGUF does not hold the model
 */
export async function ggufTypesOf(
  model: Model,
  typeMix: string,
  remedy: string,
): Promise<{ readonly tensors: GgufPlan["tensors"]; readonly types: ReadonlyMap<string, QuantisationType> }> {
  requireNoGraph(model, remedy);
  const plan = await planGgufTensors(model);
  return { tensors: plan.tensors, types: ggufTypes(plan, typeMixNamed(typeMix)) };
}

/** The metadata of that file, tokenizer included. Parameters and errors as of {@link ggufTypesOf}. */
export async function ggufMetadataOf(model: Model, remedy: string): Promise<GgufPlan["metadata"]> {
  requireNoGraph(model, remedy);
  const planned = plans.get(model) ?? planGguf(model, new Map());
  plans.set(model, planned);
  return (await planned).metadata;
}
