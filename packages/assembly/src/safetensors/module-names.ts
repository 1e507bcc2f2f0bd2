import { FailedPreconditionError } from "@mbs/contracts";
import { isCarried } from "@mbs/models";
import type { ArchitectureModel, Model } from "@mbs/models";
import { siteWeights } from "../layers/site-weights.ts";

const suffix = ".weight";

/** The linear layer of a weight: its name without ".weight". @throws {FailedPreconditionError} for a tensor named otherwise */
export function moduleOf(tensor: string, format: string): string {
  if (tensor.endsWith(suffix)) return tensor.slice(0, -suffix.length);
  throw new FailedPreconditionError(
    `tensor ${tensor} is no weight of a linear layer of its own, which ${format} needs; assemble with --format dense`,
    { tensor },
  );
}

/**
 * Programs look for packed layers by their names. Of a model that has its experts in joined tensors alone they find none, and
 * transformers then takes random weights.
 *
 * @throws {FailedPreconditionError} for such a model, with the remedy
 */
export function requireSeparateExperts(model: Model, format: string): void {
  if (model.kind !== "architecture" || model.layout.joined?.some(({ whole }) => whole !== undefined) !== true) return;
  throw new FailedPreconditionError(
    `${model.path}: programs that read --format ${format} do not find packed experts of model type ${model.architecture}, which has those of a block in one tensor; assemble with --format gguf or dense`,
    { model: model.path, format },
  );
}

/** Layers that vLLM joins, and the name it then asks for. */
const joined: ReadonlyMap<string, string> = new Map([
  ["q_proj", "qkv_proj"],
  ["k_proj", "qkv_proj"],
  ["v_proj", "qkv_proj"],
  ["gate_proj", "gate_up_proj"],
  ["up_proj", "gate_up_proj"],
]);

const escape = (text: string): string => text.replaceAll(/[.\\+*?()[\]{}|^$]/g, "\\$&");

/** Of a language model beside other models: programs put "model." before it, or behind it. */
const languageModel = /^(?:model\.)?language_model\.(?:model\.)?/;

/** The name of a linear layer within its language model, which ends the names that programs have for it; whole where no other model stands beside it. */
export const innerModule = (module: string): string => module.replace(languageModel, "");

/**
 * A regular expression for a linear layer, whatever prefix ("transformer.") a program puts before its name, and for the
 * joined layer that some make of it.
 */
export function modulePattern(module: string): string {
  const inner = innerModule(module);
  const end = inner.lastIndexOf(".") + 1;
  const leaf = inner.slice(end);
  const other = joined.get(leaf);
  const path = `${inner === module ? "" : "language_model\\.(?:model\\.)?"}${escape(inner.slice(0, end))}`;
  return `^(?:.*\\.)?${path}${other === undefined ? escape(leaf) : `(?:${escape(leaf)}|${other})`}$`;
}

/** Regular expressions for all layers of the modules beside a language model, which no program may take for packed. */
export const carriedPatterns = ({ layout: { carried = [] } }: ArchitectureModel): readonly string[] =>
  carried.map((module) => `^(?:.*\\.)?${escape(module)}\\..*$`);

/** Tensors of the model that solvers could have changed and no layer did. */
export function unchangedWeights(model: Model, changed: ReadonlySet<string>): readonly string[] {
  const all = siteWeights(model).map(({ tensor }) => tensor);
  return all.filter((tensor) => !changed.has(tensor));
}

/**
 * The linear layers of a decoder that a checkpoint holds dense: every matrix but those that are packed and the embedding. Programs
 * make packed layers of all that are not named to them, routers and gates included, which no solver changes.
 *
 * @param packed names of the tensors that are packed
 */
export function denseLinears({ checkpoint, layout }: ArchitectureModel, packed: ReadonlySet<string>): readonly string[] {
  return checkpoint
    .list()
    .filter(({ name, shape }) => shape.length === 2 && name.endsWith(suffix) && name !== layout.embedding && !packed.has(name))
    .filter(({ name }) => !isCarried(layout, name))
    .map(({ name }) => name.slice(0, -suffix.length));
}

/**
 * The name of a tensor with the prefix of its model type ("transformer."), which the Hub's checkpoints of some types leave
 * out and gptqmodel asks for. A head of its own stands outside.
 */
export function prefixedName({ layout }: ArchitectureModel, tensor: string): string {
  const [prefix] = layout.prefixes;
  const isOwnHead = tensor === layout.head && layout.head !== layout.embedding;
  return prefix === undefined ||
    isOwnHead ||
    isCarried(layout, tensor) ||
    layout.prefixes.some((known) => tensor.startsWith(known))
    ? tensor
    : `${prefix}${tensor}`;
}
