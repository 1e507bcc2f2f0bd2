import { encodeModel } from "../onnx-messages.ts";
import type { NodeMessage, TensorMessage, ValueMessage } from "../onnx-messages.ts";
import type { GraphFile, GraphTensor, GraphValue } from "../file/graph-file.ts";
import type { GraphNode } from "../file/graph-node.ts";
import { isHalf, widenNode, widenTensor } from "./single-precision.ts";
import { elementTypeNumbers } from "../tensor.ts";
import type { TensorType } from "../tensor.ts";

export interface SubgraphRequest {
  /** Values to compute. */
  readonly outputs: readonly string[];
  /** Values that are fed, with their types; the nodes that compute them are left out. */
  readonly given: ReadonlyMap<string, TensorType>;
  /** Nodes whose output, int64, is fed. */
  readonly stopsAt?: (node: GraphNode) => boolean;
}

/** A part of a graph that runs by itself, in float32. */
export interface Subgraph {
  /** The serialised model; its outputs have the names of the values. */
  readonly model: Uint8Array;
  /** Inputs of the whole graph that it reads. */
  readonly inputs: readonly GraphValue[];
  /** Given values that it reads. */
  readonly given: readonly string[];
  /** Outputs of nodes at which it stopped. */
  readonly stopped: readonly string[];
  /** Weights that are fed as float32: the serialised model does not contain them. */
  readonly weights: readonly GraphTensor[];
  /** Under which name a value is fed. */
  readonly inputName: (value: string) => string;
}

/** Tensors of fewer values stay in the model, where the engine can fold and fuse them. */
const fewestFed = 16;

const countOf = ({ dims }: GraphTensor): number => dims.reduce((product, side) => product * side, 1);

/** Whether a tensor is a weight: floating point, of at least `fewestFed` values that can be read. */
export const isWeight = (tensor: GraphTensor): boolean =>
  (tensor.type === elementTypeNumbers.float32 || isHalf(tensor.type)) &&
  (tensor.inline !== undefined || tensor.external !== undefined) &&
  countOf(tensor) >= fewestFed;

const valueMessage = (name: string, elemType: number, dims?: readonly number[]): ValueMessage => ({
  name,
  type: { tensorType: { elemType, ...(dims && { shape: { dim: dims.map((dimValue) => ({ dimValue })) } }) } },
});

/** The engine's errors name a node by its name; one without a name gets that of its output. */
const named = (message: NodeMessage): NodeMessage => ({ ...message, name: message.name || (message.output[0] ?? "") });

/** What is needed of a graph for a request. */
class Selection {
  readonly nodes = new Set<GraphNode>();
  readonly inputs = new Set<string>();
  readonly given = new Map<string, TensorType>();
  readonly stopped = new Set<string>();
  readonly tensors = new Set<GraphTensor>();

  constructor(graph: GraphFile, { outputs, given, stopsAt = () => false }: SubgraphRequest) {
    const makers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
    const open = [...outputs];
    for (let name = open.pop(); name !== undefined; name = open.pop()) {
      const [tensor, maker] = [graph.tensors.get(name), makers.get(name)];
      const type = given.get(name);
      if (type !== undefined) this.given.set(name, type);
      else if (tensor !== undefined) this.tensors.add(tensor);
      else if (maker === undefined) this.inputs.add(name);
      else if (stopsAt(maker)) this.stopped.add(name);
      else if (!this.nodes.has(maker)) {
        this.nodes.add(maker);
        open.push(...maker.inputs.filter((input) => input !== ""));
      }
    }
  }
}

/** The outputs of stopped nodes that a request would read, without making its model. */
export const stoppedValues = (graph: GraphFile, request: SubgraphRequest): readonly string[] => [
  ...new Selection(graph, request).stopped,
];

/**
 * Cuts a part out of a graph. Half precision becomes single: constants are cast, and weights are fed as float32.
 *
 * @param readValues the bytes of a tensor's values
 */
export async function cutSubgraph(
  graph: GraphFile,
  request: SubgraphRequest,
  readValues: (tensor: GraphTensor) => Promise<Uint8Array>,
): Promise<Subgraph> {
  const selection = new Selection(graph, request);
  const inputs = graph.inputs.filter(({ name }) => selection.inputs.has(name));
  const weights = [...selection.tensors].filter(isWeight);
  const constants: TensorMessage[] = [];
  const casts: NodeMessage[] = [];
  for (const tensor of selection.tensors) {
    if (isWeight(tensor)) continue;
    const { name, dims, type, message } = tensor;
    const placed = tensor.inline !== undefined || tensor.external !== undefined;
    const whole: TensorMessage = placed ? { name, dims, dataType: type, rawData: await readValues(tensor) } : message;
    const [constant, cast] = isHalf(type) ? widenTensor(whole) : [whole];
    constants.push(constant);
    if (cast !== undefined) casts.push(cast);
  }
  // a value that is both an input and an output needs a node in between
  const passed = request.outputs.filter((name) => selection.given.has(name) || selection.inputs.has(name));
  const inputName = (name: string): string => (passed.includes(name) ? `${name}:in` : name);
  const { float32, int64 } = elementTypeNumbers;
  const model = encodeModel({
    irVersion: Math.max(graph.irVersion, 4),
    producerName: "mbs",
    opsetImport: graph.opsets,
    graph: {
      name: "part",
      initializer: constants,
      input: [
        ...inputs.map(({ name, type }) => valueMessage(inputName(name), isHalf(type) ? float32 : type)),
        ...[...selection.given].map(([name, type]) => valueMessage(inputName(name), elementTypeNumbers[type])),
        ...[...selection.stopped].map((name) => valueMessage(name, int64)),
        ...weights.map(({ name, dims }) => valueMessage(name, float32, dims)),
      ],
      output: [...new Set(request.outputs)].map((name) => ({ name })),
      node: [
        ...passed.map((name) => ({
          name: `${name}:pass`,
          opType: "Identity",
          domain: "",
          input: [inputName(name)],
          output: [name],
          attribute: [],
        })),
        ...casts,
        ...graph.nodes.filter((node) => selection.nodes.has(node)).flatMap(({ message }) => widenNode(named(message))),
      ],
    },
  });
  return { model, inputs, given: [...selection.given.keys()], stopped: [...selection.stopped], weights, inputName };
}
