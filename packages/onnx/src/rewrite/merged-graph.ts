import { BadDataError } from "@mbs/contracts";
import type { GraphFile, GraphTensor } from "../file/graph-file.ts";
import { nodeOf, nodeText } from "../file/graph-node.ts";
import type { GraphNode } from "../file/graph-node.ts";
import type { GraphMessage, NodeMessage } from "../onnx-messages.ts";
import { elementTypeNumbers } from "../tensor.ts";

const elseBranch = ({ attribute }: NodeMessage): GraphMessage | undefined =>
  attribute.find(({ name }) => name === "else_branch")?.g ?? undefined;

/** Outputs of a branch under the names that the node gave them. @throws {BadDataError} where it gave fewer names */
const passOn = (branch: GraphMessage, node: GraphNode, path: string): NodeMessage[] =>
  branch.output.map(({ name }, index) => {
    const output = node.outputs[index];
    if (output === undefined) {
      throw new BadDataError(
        `${path}: ${nodeText(node)} has ${node.outputs.length} outputs, its else branch ${branch.output.length}; export the model again`,
        { file: path, node: node.name },
      );
    }
    return { name: `${node.name}:${index}`, opType: "Identity", domain: "", input: [name], output: [output], attribute: [] };
  });

/**
 * A graph whose flags are off: an If whose condition is an input of the graph becomes its else branch. A "merged" decoder
 * is one such node, whose branches are the decoder with past keys and without; they share their weights.
 *
 * Nodes that were inside have the span of the node around them.
 */
export function withFlagsOff(graph: GraphFile): GraphFile {
  const flags = new Set(graph.inputs.filter(({ type }) => type === elementTypeNumbers.bool).map(({ name }) => name));
  const tensors = new Map(graph.tensors);
  let merged = false;
  const nodes = graph.nodes.flatMap((node): readonly GraphNode[] => {
    const branch = node.operator === "If" && flags.has(node.inputs[0] ?? "") ? elseBranch(node.message) : undefined;
    if (branch === undefined) return [node];
    merged = true;
    for (const message of branch.initializer) {
      const { name = "", dataType: type, dims } = message;
      const tensor: GraphTensor = { name, type, dims: dims.map(Number), message, span: node.span };
      tensors.set(name, tensor);
    }
    return [...branch.node, ...passOn(branch, node, graph.path)].map((message) => nodeOf(message, node.span));
  });
  return merged ? { ...graph, nodes, tensors, merged } : graph;
}
