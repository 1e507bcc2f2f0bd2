import { BadDataError } from "@mbs/contracts";
import type { Integer, NodeMessage, TensorMessage } from "../onnx-messages.ts";
import type { GraphFile } from "./graph-file.ts";
import { innerGraphs, nodeText, plainDomain } from "./graph-node.ts";

/** @throws {BadDataError} naming a node of an operator set that the file does not have */
export function checkDomains({ path, nodes, opsets }: Omit<GraphFile, "source">): void {
  const domains = new Set(opsets.map(({ domain }) => plainDomain(domain)));
  const foreign = nodes.find(({ message }) => !domains.has(plainDomain(message.domain)));
  if (foreign === undefined) return;
  throw new BadDataError(
    `${path}: ${nodeText(foreign)} is of an operator set that the file does not name; it is cut short, or export it again`,
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

/** Models have shapes of up to 8 sides; one of a hundred thousand ends ONNX Runtime, and this process with it. */
const mostSides = 64;

/** What is wrong with the shape of a constant, in the words of a sentence. */
function shapeProblem(dims: readonly Integer[]): string | undefined {
  if (dims.length > mostSides) return `a shape of ${dims.length} sides, where at most ${mostSides} are read`;
  const sides = dims.map(Number);
  // a side of 0 must not hide the others
  const count = sides.reduce((product, side) => product * Math.max(side, 1), 1);
  return sides.every((side) => side >= 0) && Number.isSafeInteger(count) ? undefined : `the shape [${sides.join(", ")}]`;
}

/** Attributes that count sides of a shape. ONNX Runtime ends without a word on some that no shape has. */
const sideAttributes: ReadonlySet<string> = new Set(["axis", "batch_dims"]);

const constantProblems = (list: readonly TensorMessage[]): string[] =>
  list.flatMap(({ dims }) => shapeProblem(dims) ?? []).map((problem) => `a constant with ${problem}`);

/** What is wrong with the constants and attributes of a node, and of the graphs inside it. */
function* nodeProblems(message: NodeMessage): Generator<string> {
  for (const { name, i = 0, t, tensors = [] } of message.attribute) {
    yield* constantProblems(t ? [t, ...tensors] : tensors);
    if (sideAttributes.has(name) && Math.abs(Number(i)) > mostSides) yield `${name} ${Number(i)}, which no shape has`;
  }
  for (const { initializer, node } of innerGraphs(message)) {
    yield* constantProblems(initializer);
    for (const inner of node) yield* nodeProblems(inner);
  }
}

/** @throws {BadDataError} naming a tensor, node or input whose shape no values can have, or an attribute that speaks of no side */
export function checkShapes({ path, tensors, nodes, inputs }: Omit<GraphFile, "source">): void {
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
    if (dims.length > mostSides) refuse(`input ${name}`, `a shape of ${dims.length} sides, where at most ${mostSides} are read`);
  }
}
