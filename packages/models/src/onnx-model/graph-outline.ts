import { FailedPreconditionError } from "@mbs/contracts";
import { isWeight, nodeText } from "@mbs/onnx";
import type { GraphFile, GraphNode } from "@mbs/onnx";
import { followValue } from "./data-flow.ts";
import type { DataFlow } from "./data-flow.ts";
import { cutBlocks } from "./graph-blocks.ts";
import type { CutGraph } from "./graph-blocks.ts";
import { choosesExperts, linearWeight, numberAttribute, readersOf } from "./linear-weights.ts";
import type { LinearWeight, Readers } from "./linear-weights.ts";

/** Where tokens become vectors: rows of a matrix, chosen by `indices`. */
export interface GraphEmbedding {
  readonly tensor: string;
  readonly vocabulary: number;
  readonly width: number;
  readonly indices: string;
  readonly output: string;
}

/** A weight that no solver changes, and why. */
export interface UnreachedWeight {
  readonly tensor: string;
  readonly reason: string;
}

/** The parts of the graph of a decoder or an encoder. */
export interface GraphOutline extends CutGraph {
  readonly flow: DataFlow;
  /** Absent where the matrix is quantised. */
  readonly embedding: GraphEmbedding | undefined;
  /** Whether it makes states, which are then those after the last block, and no logits. */
  readonly isEncoder: boolean;
  /** Names of input and output: logits, or the states of an encoder. */
  readonly tokens: string;
  readonly output: string;
  readonly unreached: readonly UnreachedWeight[];
  /** Nodes that multiply by weights which are quantised already. */
  readonly quantised: readonly GraphNode[];
}

const [tokens, logits, lastStates] = ["input_ids", "logits", "last_hidden_state"];

/** Operators that read tables and masks: such matrices belong to no linear layer. */
const tableReaders: ReadonlySet<string> = new Set(["Gather", "Slice", "Add", "Sub", "Mul", "Where", "Expand"]);

const quantisedProducts: ReadonlySet<string> = new Set([
  "com.microsoft.MatMulNBits",
  "com.microsoft.MatMulBnb4",
  "com.microsoft.DynamicQuantizeMatMul",
  "MatMulInteger",
  "QLinearMatMul",
  "DequantizeLinear",
]);

/** Undefined for a quantised table, which several gathers read. */
function findEmbedding(graph: GraphFile, { nodes, cuts }: DataFlow): GraphEmbedding | undefined {
  for (const node of nodes) {
    const [tensor, indices] = node.inputs;
    const [output] = node.outputs;
    if (node.operator !== "Gather" || tensor === undefined || indices === undefined || output === undefined) continue;
    const found = graph.tensors.get(tensor);
    if (found === undefined || !isWeight(found) || numberAttribute(node, "axis", 0) !== 0) continue;
    const [vocabulary, width, ...more] = found.dims;
    const isMatrix = vocabulary !== undefined && width !== undefined && more.length === 0;
    if (isMatrix && cuts.includes(output)) return { tensor, vocabulary, width, indices, output };
  }
  return undefined;
}

const hasValue = (values: GraphFile["inputs"], name: string): boolean => values.some((value) => value.name === name);

const isMatrix = (dims: readonly number[]): boolean => dims.filter((side) => side > 1).length >= 2;

/** Nodes that multiply by a weight that is quantised already. */
const quantisedNodes = (graph: GraphFile, readers: Readers): GraphNode[] =>
  graph.nodes.filter(
    (node) =>
      quantisedProducts.has(node.operator) &&
      node.inputs.some((name) => isMatrix(graph.tensors.get(name)?.dims ?? [])) &&
      // dequantised tables are no products
      (node.operator !== "DequantizeLinear" ||
        node.outputs
          .flatMap((name) => readers.get(name) ?? [])
          .some(({ operator }) => operator === "MatMul" || operator === "Gemm")),
  );

interface FoundWeights {
  /** In the order of their nodes. */
  readonly weights: readonly LinearWeight[];
  readonly unreached: readonly UnreachedWeight[];
}

function findWeights(
  graph: GraphFile,
  flow: DataFlow,
  readers: Readers,
  shared: ReadonlySet<string>,
  embedding: GraphEmbedding | undefined,
): FoundWeights {
  const weights: LinearWeight[] = [];
  const unreached: UnreachedWeight[] = [];
  for (const tensor of graph.tensors.values()) {
    const { name, dims } = tensor;
    if (!isWeight(tensor) || !isMatrix(dims) || name === embedding?.tensor) continue;
    const all = readers.get(name) ?? [];
    if (all.length > 0 && all.every(({ operator }) => tableReaders.has(operator))) continue;
    const found = linearWeight(tensor, readers, graph);
    if (typeof found === "string") unreached.push({ tensor: name, reason: found });
    else if (!flow.segmentOf.has(found.node))
      unreached.push({ tensor: name, reason: `is read by ${nodeText(found.node)}, whose product no output depends on` });
    else if (!flow.dependent.has(found.input))
      unreached.push({ tensor: name, reason: `is read by ${nodeText(found.node)}, whose input depends on no token` });
    else if (choosesExperts(found.node, readers))
      unreached.push({ tensor: name, reason: "is a router's, which chooses experts" });
    else if (shared.has(name)) unreached.push({ tensor: name, reason: "shares its bytes with another tensor" });
    else weights.push(found);
  }
  const byNode = new Map(weights.map((weight) => [weight.node, weight]));
  return { weights: flow.nodes.flatMap((node) => byNode.get(node) ?? []), unreached };
}

/**
 * Finds embedding, blocks, sites and linear weights of a graph.
 *
 * @param shared tensors whose bytes belong to another one too
 * @throws {FailedPreconditionError} for a graph that is no decoder or encoder of tokens
 */
export function outlineGraph(graph: GraphFile, shared: ReadonlySet<string>): GraphOutline {
  const output = [logits, lastStates].find((name) => hasValue(graph.outputs, name));
  if (!hasValue(graph.inputs, tokens) || output === undefined) {
    const [inputs, outputs] = [graph.inputs, graph.outputs].map((values) =>
      values
        .map(({ name }) => name)
        .slice(0, 6)
        .join(", "),
    );
    throw new FailedPreconditionError(
      `${graph.path} reads ${inputs} and makes ${outputs}; a decoder that reads ${tokens} and makes ${logits} is wanted, or an encoder that makes ${lastStates}`,
      { file: graph.path },
    );
  }
  const flow = followValue(graph.nodes, tokens, output);
  if (flow.cuts.at(-1) !== output) {
    throw new FailedPreconditionError(`${graph.path}: ${output} does not depend on ${tokens}; export the model again`, {
      file: graph.path,
    });
  }
  const readers = readersOf(graph.nodes);
  const embedding = findEmbedding(graph, flow);
  const { weights, unreached } = findWeights(graph, flow, readers, shared, embedding);
  const isEncoder = output === lastStates;
  const isHead = (weight: LinearWeight): boolean =>
    !isEncoder && weight === weights.at(-1) && weight.rows === embedding?.vocabulary;
  const quantised = quantisedNodes(graph, readers).filter((node) => flow.segmentOf.has(node));
  const products = [
    ...weights.filter((weight) => !isHead(weight)).map(({ node }) => node),
    ...quantised.filter((node) => numberAttribute(node, "N", 0) !== embedding?.vocabulary),
  ];
  const cut = cutBlocks(graph, flow, weights, readers, products);
  if (cut.blocks.length === 0) {
    throw new FailedPreconditionError(
      `${graph.path} has no linear layer between ${tokens} and ${output}; is it a language model?`,
      {
        file: graph.path,
      },
    );
  }
  const last = cut.blocks.length - 1;
  const reached = new Set(cut.blocks.flatMap(({ sites }) => sites.flatMap((site) => site.weights)));
  const outside = weights
    .filter((weight) => !reached.has(weight) && !isHead(weight))
    .map(({ tensor, node }) => ({ tensor, reason: `is read by ${nodeText(node)}, outside the blocks` }));
  return {
    ...cut,
    // what follows the last block of an encoder, such as a norm, belongs to it
    ...(isEncoder && { blocks: cut.blocks.map((block, index) => (index === last ? { ...block, end: output } : block)) }),
    flow,
    embedding,
    isEncoder,
    tokens,
    output,
    unreached: [...unreached, ...outside],
    quantised,
  };
}
