import { nodeText } from "@mbs/onnx";
import type { GraphFile, GraphNode, GraphTensor } from "@mbs/onnx";

/** A weight that a linear layer of the graph multiplies by. */
export interface LinearWeight {
  readonly tensor: string;
  /** Output features. */
  readonly rows: number;
  /** Input features. */
  readonly width: number;
  /** True where it is stored as [width, rows]. */
  readonly transposed: boolean;
  /** Number of the type in which it is multiplied. */
  readonly type: number;
  /** The product. */
  readonly node: GraphNode;
  /** The value that it multiplies. */
  readonly input: string;
  /** Nodes between the tensor and the product, which turn or cast it. */
  readonly between: readonly GraphNode[];
}

/** Who reads a value. */
export type Readers = ReadonlyMap<string, readonly GraphNode[]>;

export function readersOf(nodes: readonly GraphNode[]): Readers {
  const readers = new Map<string, GraphNode[]>();
  for (const node of nodes) {
    for (const name of new Set(node.inputs)) {
      const known = readers.get(name);
      if (known === undefined) readers.set(name, [node]);
      else known.push(node);
    }
  }
  return readers;
}

/** An attribute that is a whole number or a real one. */
export function numberAttribute({ message }: GraphNode, name: string, fallback: number): number {
  const found = message.attribute.find((attribute) => attribute.name === name);
  if (found === undefined) return fallback;
  // protobuf leaves out a value of 0
  return found.type === 1 ? (found.f ?? 0) : Number(found.i ?? 0);
}

/** Operators between a router's product and the choice of experts. */
const routing: ReadonlySet<string> = new Set(["Softmax", "Sigmoid", "Cast", "Reshape", "Add", "Identity"]);

/** Whether a product decides which experts a token goes to. */
export function choosesExperts(product: GraphNode, readers: Readers): boolean {
  const next = product.outputs.flatMap((name) => readers.get(name) ?? []);
  return next.some((node) => node.operator === "TopK" || (routing.has(node.operator) && choosesExperts(node, readers)));
}

const swapsTwo = ({ operator, message }: GraphNode): boolean => {
  const axes = message.attribute.find(({ name }) => name === "perm")?.ints?.map(Number);
  return operator === "Transpose" && (axes === undefined || axes.join() === "1,0");
};

const passesOn = ({ operator }: GraphNode): boolean => operator === "Cast" || operator === "Identity";

/**
 * How a matrix is multiplied by: the second operand of a MatMul or Gemm, itself or through nodes that turn or cast it.
 *
 * @returns a reason, in the words of a list for the user, where it is no linear layer's weight
 */
export function linearWeight(
  { name, dims, type: storedType }: GraphTensor,
  readers: Readers,
  graph: GraphFile,
): LinearWeight | string {
  const between: GraphNode[] = [];
  let [value, turned, type] = [name, false, storedType];
  for (;;) {
    const found = readers.get(value) ?? [];
    const [node] = found;
    if (node === undefined)
      return graph.outputs.some((output) => output.name === value) ? "is an output of the graph" : "is read by no node";
    if (found.length > 1) return `is read by ${found.length} nodes, first ${nodeText(node)}`;
    if (swapsTwo(node) || passesOn(node)) {
      between.push(node);
      turned = swapsTwo(node) ? !turned : turned;
      type = numberAttribute(node, "to", type);
      const [output] = node.outputs;
      if (output === undefined) return `is read by ${nodeText(node)}, which has no output`;
      value = output;
      continue;
    }
    const [input, operand] = node.inputs;
    const isProduct =
      operand === value &&
      input !== value &&
      (node.operator === "MatMul" ||
        (node.operator === "Gemm" &&
          numberAttribute(node, "transA", 0) === 0 &&
          numberAttribute(node, "alpha", 1) === 1 &&
          numberAttribute(node, "beta", 1) === 1));
    const [first, second, ...more] = dims;
    if (!isProduct || input === undefined || first === undefined || second === undefined || more.length > 0)
      return `is read by ${nodeText(node)}`;
    if (node.operator === "Gemm" && numberAttribute(node, "transB", 0) !== 0) turned = !turned;
    const [width, rows] = turned ? [second, first] : [first, second];
    return { tensor: name, rows, width, transposed: !turned, type, node, input, between };
  }
}
