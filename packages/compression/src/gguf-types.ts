import { FailedPreconditionError } from "@mbs/contracts";
import { planGguf, planGgufTensors, type ArchitectureModel, type GgufPlan, type Model } from "@mbs/models";

/** Plans of open models with their tokenizers: of a large vocabulary one takes seconds, and sizes of many type mixes are asked for. */
const plans = new WeakMap<Model, Promise<GgufPlan>>();

function requireNoGraph(model: Model, remedy: string): asserts model is ArchitectureModel {
  if (model.kind === "architecture") return;
  throw new FailedPreconditionError(`${model.path} is an ONNX model, of which no GGUF file is made; ${remedy}`);
}

/**
 * The GGUF file that is made of a model, tokenizer included.
 *
 * @param remedy what to do where none is
 * @throws {FailedPreconditionError} where GGUF does not hold the model
 */
export async function ggufPlanOf(model: Model, remedy: string): Promise<GgufPlan> {
  requireNoGraph(model, remedy);
  const planned = plans.get(model) ?? planGguf(model, new Map());
  plans.set(model, planned);
  return planned;
}

/** The same without the tokenizer. */
export async function ggufTensorsOf(model: Model, remedy: string): Promise<GgufPlan> {
  requireNoGraph(model, remedy);
  return planGgufTensors(model);
}
