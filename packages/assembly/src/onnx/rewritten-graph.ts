import { FailedPreconditionError, InternalError } from "@mbs/contracts";
import type { GraphModel, LinearWeight } from "@mbs/models";
import { changedGraph, elementTypeNumbers, elementTypeOf, GraphBuilder, isHalf } from "@mbs/onnx";
import type { GraphChange, GraphNode } from "@mbs/onnx";
import type { ScratchLayers } from "../layers/scratch-layers.ts";
import { writtenPieces } from "../layers/written-pieces.ts";
import type { WeightFiles } from "./weights/weight-files.ts";
import { WeightStore } from "./weights/weight-store.ts";
import type { WeightStoreOptions } from "./weights/weight-store.ts";

export interface RewrittenGraph {
  /** The serialised model in pieces. */
  readonly content: () => Iterable<Uint8Array>;
  /** Bytes of the tensors that layers changed, as stored. */
  readonly compressedBytes: number;
  /** Tensors that stay in the model's own file. */
  readonly inline: readonly string[];
}

/** BitwiseAnd and BitwiseOr, which join planes, came with this operator set. */
const planesOpset = 18;

/** @throws {FailedPreconditionError} where the products of quantised weights cannot be replaced */
export function checkGraph(
  { graph }: GraphModel,
  bits: readonly (number | undefined)[],
  { threeBit }: Pick<WeightStoreOptions, "threeBit">,
): void {
  if (graph.merged && bits.some((count) => count !== undefined)) {
    throw new FailedPreconditionError(
      `${graph.path} has its decoder twice, in two branches, and codes for one would leave the other dense; assemble with --format dense, or start from decoder_model.onnx`,
      { file: graph.path },
    );
  }
  const version = Number(graph.opsets.find(({ domain }) => domain === "" || domain === "ai.onnx")?.version ?? 0);
  if (threeBit !== "planes" || version >= planesOpset || !bits.includes(3)) return;
  throw new FailedPreconditionError(
    `${graph.path} has opset ${version}, and planes of 3 bits need ${planesOpset}; assemble with --three-bit nibbles`,
    { file: graph.path, opset: version },
  );
}

/** The product of a quantised weight, serialised, in place of the node that multiplied by the dense one. */
function replaceProduct(graph: GraphBuilder, store: WeightStore, weight: LinearWeight): readonly Uint8Array[] {
  const { tensor, transposed, type, node, input } = weight;
  const cast = (value: string, to: number): string => graph.node("Cast", [value], { attributes: { to } });
  // scales are float32, and so is what they multiply
  let product = store.multiply(isHalf(type) ? cast(input, elementTypeNumbers.float32) : input, tensor, transposed);
  if (isHalf(type)) product = cast(product, type);
  const [, , bias = ""] = node.inputs;
  const [output] = node.outputs;
  if (output === undefined) throw new InternalError(`the product of ${tensor} has no output`, { tensor });
  graph.output(output, bias === "" ? product : graph.node("Add", [product, bias]), "float32");
  return graph.takeNodes();
}

/**
 * The graph of a model with its quantised weights as MatMulNBits, and everything else as it was. Tensors that lay in files of
 * their own lie in new ones, and so do weights with other values; those inside the model's file stay there.
 */
export function rewriteGraph(
  model: GraphModel,
  layers: ScratchLayers,
  files: WeightFiles,
  options: WeightStoreOptions,
): RewrittenGraph {
  const { graph: source, outline, checkpoint } = model;
  checkGraph(
    model,
    [...layers.summaries.values()].map(({ bits }) => bits),
    options,
  );
  const builder = new GraphBuilder(model.architecture, { prefix: "mbs:" });
  const store = new WeightStore(builder, files, model, layers, options);
  const quantised = outline.blocks
    .flatMap(({ sites }) => sites.flatMap(({ weights }) => weights))
    .filter(({ tensor }) => layers.has(tensor, "codes"));
  const nodes = new Map<GraphNode, readonly Uint8Array[]>();
  const [dropped, moved] = [new Set<string>(), new Set<string>()];
  for (const weight of quantised) {
    for (const node of weight.between) nodes.set(node, []);
    dropped.add(weight.tensor);
    nodes.set(weight.node, replaceProduct(builder, store, weight));
  }
  let changedBytes = 0;
  const inline: string[] = [];
  for (const { name, type, dims, external } of source.tensors.values()) {
    const changed = layers.summaries.has(name);
    if (dropped.has(name) || !checkpoint.has(name)) continue;
    const { bytes } = checkpoint.info(name);
    if (changed) changedBytes += bytes;
    if (external === undefined && !changed) {
      inline.push(name);
      continue;
    }
    const elementType = elementTypeOf(type);
    if (elementType === undefined)
      throw new InternalError(`${source.path}: tensor ${name} of type ${type} cannot be moved`, { tensor: name });
    const reserved = files.reserveOne({ type: elementType, dims, bytes }, () => writtenPieces(model, layers, { name, bytes }));
    builder.external(reserved, name);
    moved.add(name);
  }
  const change: GraphChange = { nodes, dropped, moved, tensors: builder.tensors(), domains: new Map([["com.microsoft", 1]]) };
  return { content: () => changedGraph(source, change), compressedBytes: store.compressedBytes + changedBytes, inline };
}
