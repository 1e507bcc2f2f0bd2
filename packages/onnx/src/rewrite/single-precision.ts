import { elementTypeNumbers } from "../tensor.ts";
import type { AttributeMessage, GraphMessage, NodeMessage, TensorMessage, ValueMessage } from "../onnx-messages.ts";

const { float32, float16, bfloat16 } = elementTypeNumbers;

/** Attributes that name a type of numbers. */
const typeAttributes: ReadonlySet<string> = new Set(["to", "dtype", "output_dtype", "stash_type"]);

/** Whether a type has half the bits of float32. */
export const isHalf = (type: number): boolean => type === float16 || type === bfloat16;

const hasHalfTensor = ({ t }: AttributeMessage): boolean => (t ? isHalf(t.dataType) : false);

function castNode(input: string, output: string): NodeMessage {
  const attribute = [{ name: "to", type: 2, i: float32 }];
  return { name: `${output}:single`, opType: "Cast", domain: "", input: [input], output: [output], attribute };
}

/** A constant of half precision under a name of its own, and the node that makes float32 of it under the old one. */
export function widenTensor(tensor: TensorMessage): readonly [TensorMessage, NodeMessage] {
  const { name = "" } = tensor;
  return [{ ...tensor, name: `${name}:half` }, castNode(`${name}:half`, name)];
}

const widenValue = (value: ValueMessage): ValueMessage => {
  const type = value.type?.tensorType;
  return type !== undefined && isHalf(type.elemType) ? { ...value, type: { tensorType: { ...type, elemType: float32 } } } : value;
};

function widenGraph(graph: GraphMessage): GraphMessage {
  const tensors = graph.initializer.map((tensor) => (isHalf(tensor.dataType) ? widenTensor(tensor) : ([tensor] as const)));
  return {
    name: graph.name,
    initializer: tensors.map(([tensor]) => tensor),
    node: [...tensors.flatMap(([, node]) => node ?? []), ...graph.node.flatMap(widenNode)],
    input: graph.input.map(widenValue),
    output: graph.output.map(widenValue),
  };
}

function widenAttribute(attribute: AttributeMessage): AttributeMessage {
  const { name, i, g, graphs } = attribute;
  if (typeAttributes.has(name) && isHalf(Number(i ?? 0))) return { ...attribute, i: float32 };
  if (g) return { ...attribute, g: widenGraph(g) };
  return graphs && graphs.length > 0 ? { ...attribute, graphs: graphs.map(widenGraph) } : attribute;
}

/**
 * A node that computes in float32 what it computed in half precision, given float32 for every half-precision input:
 * constants are cast, and attributes that name the type name float32.
 */
export function widenNode(node: NodeMessage): readonly NodeMessage[] {
  const attribute = node.attribute.map(widenAttribute);
  const { name, opType, domain, input, output } = node;
  if (!attribute.some(hasHalfTensor)) return [{ name, opType, domain, input, output, attribute }];
  const [made = ""] = output;
  return [{ name, opType, domain, input, output: [`${made}:half`], attribute }, castNode(`${made}:half`, made)];
}
