import { BadDataError } from "@mbs/contracts";
import type { Integer, NodeMessage, TensorMessage } from "../onnx-messages.ts";
import type { GraphFile } from "./graph-file.ts";
import { innerGraphs, nodeText, plainDomain } from "./graph-node.ts";

/** @throws {BadDataError} naming a node whose operator set the file does not import */
export function checkDomains({ path, nodes, opsets }: Omit<GraphFile, "source">): void {
  const domains = new Set(opsets.map(({ domain }) => plainDomain(domain)));
  const foreign = nodes.find(({ message }) => !domains.has(plainDomain(message.domain)));
  if (foreign === undefined) return;
  throw new BadDataError(
    `${path}: ${nodeText(foreign)} uses an operator set that the file does not import; export the model again`,
    {
      file: path,
      node: foreign.name,
    },
  );
}

/** @throws {BadDataError} unless every node reads what was made before it, and no name is made twice */
export function checkOrder({ path, nodes, tensors, inputs, outputs }: Omit<GraphFile, "source">): void {
  const known = new Set(["", ...tensors.keys(), ...inputs.map(({ name }) => name)]);
  for (const node of nodes) {
    const missing = node.inputs.find((name) => !known.has(name));
    if (missing !== undefined) {
      throw new BadDataError(
        `${path}: ${nodeText(node)} reads ${missing}, which nothing before it makes; export the model again`,
        {
          file: path,
          node: node.name,
        },
      );
    }
    const twice = node.outputs.find((name) => name !== "" && known.has(name));
    if (twice !== undefined) {
      throw new BadDataError(`${path}: ${nodeText(node)} makes ${twice}, which is there already; export the model again`, {
        file: path,
        node: node.name,
      });
    }
    for (const name of node.outputs) known.add(name);
  }
  const unmade = outputs.find(({ name }) => !known.has(name));
  if (unmade !== undefined)
    throw new BadDataError(`${path}: nothing makes the output ${unmade.name}; export the model again`, { file: path });
}

/** Models have shapes of up to 8 dimensions; one of 100,000 crashes ONNX Runtime, and this process with it. */
const mostDimensions = 64;

/** What is wrong with the shape of a constant, as a part of a message. */
function shapeProblem(dims: readonly Integer[]): string | undefined {
  if (dims.length > mostDimensions) return `${dims.length} dimensions, and at most ${mostDimensions} are supported`;
  const sizes = dims.map(Number);
  // a dimension of 0 must not hide the others
  const count = sizes.reduce((product, size) => product * Math.max(size, 1), 1);
  return sizes.every((size) => size >= 0) && Number.isSafeInteger(count) ? undefined : `the invalid shape [${sizes.join(", ")}]`;
}

/** Attributes that name a dimension. ONNX Runtime exits without a message on some that are out of range. */
const dimensionAttributes: ReadonlySet<string> = new Set(["axis", "batch_dims"]);

/** Operators of any number of inputs, none of which may be left out. With one that has no name they crash ONNX Runtime. */
const variadicOperators: ReadonlySet<string> = new Set(["Einsum", "Max", "Mean", "Min", "Sum"]);

const constantProblems = (list: readonly TensorMessage[]): string[] =>
  list.flatMap(({ dims }) => shapeProblem(dims) ?? []).map((problem) => `a constant with ${problem}`);

/** What is wrong with the inputs, constants and attributes of a node, and of the graphs inside it. */
function* nodeProblems(message: NodeMessage): Generator<string> {
  if (variadicOperators.has(message.opType) && message.input.includes("")) yield "an input without a name";
  for (const { name, i = 0, t, tensors = [] } of message.attribute) {
    yield* constantProblems(t ? [t, ...tensors] : tensors);
    if (dimensionAttributes.has(name) && Math.abs(Number(i)) > mostDimensions) yield `${name} ${Number(i)}, out of range`;
  }
  for (const { initializer, node } of innerGraphs(message)) {
    yield* constantProblems(initializer);
    for (const inner of node) yield* nodeProblems(inner);
  }
}

/** @throws {BadDataError} naming a tensor, node or input with what ends a process in ONNX Runtime: shapes, attributes, inputs left out */
export function checkCrashes({ path, tensors, nodes, inputs }: Omit<GraphFile, "source">): void {
  const refuse = (what: string, problem: string): never => {
    throw new BadDataError(`${path}: ${what} has ${problem}; export the model again`, { file: path });
  };
  for (const { name, message } of tensors.values()) {
    const problem = shapeProblem(message.dims);
    if (problem !== undefined) refuse(`tensor ${name}`, problem);
  }
  for (const node of nodes) {
    for (const problem of nodeProblems(node.message)) refuse(nodeText(node), problem);
  }
  for (const { name, dims = [] } of inputs) {
    if (dims.length > mostDimensions)
      refuse(`input ${name}`, `${dims.length} dimensions, and at most ${mostDimensions} are supported`);
  }
}
