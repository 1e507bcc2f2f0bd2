import { FailedPreconditionError } from "@mbs/contracts";
import { planGguf, planGgufTensors, type ArchitectureModel, type GgufPlan, type Model } from "@mbs/models";

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
  return planGguf(model, new Map());
}

/** The same without the tokenizer. */
export async function ggufTensorsOf(model: Model, remedy: string): Promise<GgufPlan> {
  requireNoGraph(model, remedy);
  return planGgufTensors(model);
}
