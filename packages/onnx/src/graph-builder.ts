import { at, InternalError } from "@mbs/contracts";
import type { Device } from "@mbs/contracts";
import { encodeMessage, encodeModel } from "./onnx-messages.ts";
import type { AttributeMessage, NodeMessage, TensorMessage, ValueMessage } from "./onnx-messages.ts";
import { elementTypeNumbers } from "./tensor.ts";
import type { ElementType, Tensor, TensorType } from "./tensor.ts";

/** A whole number is an integer attribute; wrap a real one as { float }. */
export type Attribute =
  | number
  | string
  | readonly number[]
  | { readonly float: number }
  | { readonly floats: readonly number[] }
  | { readonly tensor: Tensor };

/** A size, or the name of one that is known only when the graph runs. */
export type Dimension = number | string;

export interface NodeOptions {
  readonly attributes?: Readonly<Record<string, Attribute>>;
  /** Operator set, "" for ONNX's own. */
  readonly domain?: "" | "com.microsoft";
  /** Shown in errors; default: the operator and a running number. */
  readonly name?: string;
}

/** A constant whose values are in a file beside the model's. */
export interface ExternalTensor {
  readonly type: ElementType;
  readonly dims: readonly number[];
  /** File name, relative to the model's folder. */
  readonly location: string;
  /** Where the values begin in it, and their bytes. */
  readonly offset: number;
  readonly length: number;
}

/** What a node reads and makes. */
export interface BuiltNode {
  readonly operator: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

/** A part of a graph that runs by itself. */
export interface BuiltPart {
  /** Serialised; its outputs have the names of the values. */
  readonly model: Uint8Array;
  /** Inputs of the whole graph that it reads. */
  readonly inputs: readonly string[];
}

/** Nodes that are needed, and every value that they read or make. */
interface Selection {
  readonly nodes: readonly NodeMessage[];
  readonly values: ReadonlySet<string>;
}

const opset = 21;

const rawBytes = (tensor: Tensor): Uint8Array =>
  new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength);

const tensorMessage = (tensor: Tensor, name?: string): TensorMessage => ({
  ...(name === undefined ? {} : { name }),
  dims: tensor.dims,
  dataType: elementTypeNumbers[tensor.type],
  rawData: rawBytes(tensor),
});

function attributeMessage(name: string, value: Attribute): AttributeMessage {
  if (typeof value === "string") return { name, type: 3, s: new TextEncoder().encode(value) };
  if (typeof value === "number") {
    if (!Number.isSafeInteger(value))
      throw new InternalError(`attribute ${name}: write ${value} as { float }`, { attribute: name });
    return { name, type: 2, i: value };
  }
  if ("float" in value) return { name, type: 1, f: value.float };
  if ("floats" in value) return { name, type: 6, floats: value.floats };
  if ("tensor" in value) return { name, type: 4, t: tensorMessage(value.tensor) };
  return { name, type: 7, ints: value };
}

const valueMessage = (name: string, type: TensorType, dims: readonly Dimension[] | undefined): ValueMessage => ({
  name,
  type: {
    tensorType: {
      elemType: elementTypeNumbers[type],
      ...(dims && { shape: { dim: dims.map((dim) => (typeof dim === "number" ? { dimValue: dim } : { dimParam: dim })) } }),
    },
  },
});

/**
 * Builds an ONNX model (opset 21) node by node. Values are known by the names that the methods return.
 *
 * ```ts
 * const graph = new GraphBuilder("double");
 * const x = graph.input("x", "float32", ["T", 4]);
 * graph.output("y", graph.node("Add", [x, x]), "float32");
 * const session = await createSession(graph.build(), { threads: 1 });
 * ```
 */
export class GraphBuilder {
  /** What the graph is for: operators that a device lacks are written as others. */
  readonly device: Device;
  readonly #name: string;
  readonly #prefix: string;
  readonly #inputs: ValueMessage[] = [];
  readonly #outputs: ValueMessage[] = [];
  readonly #initializers: TensorMessage[] = [];
  #nodes: NodeMessage[] = [];
  /** Value → name of the output it became. */
  readonly #renamed = new Map<string, string>();
  #values = 0;

  /** @param options.prefix of the names that it gives, where they must differ from those of another graph */
  constructor(name: string, { prefix = "", device = "cpu" }: { readonly prefix?: string; readonly device?: Device } = {}) {
    this.device = device;
    this.#name = name;
    this.#prefix = prefix;
  }

  /** Declares an input and returns its name. */
  input(name: string, type: TensorType, dims: readonly Dimension[]): string {
    this.#inputs.push(valueMessage(name, type, dims));
    return name;
  }

  /** A constant of the graph; its bytes are copied when the graph is built. */
  constant(tensor: Tensor, name = this.#fresh("constant")): string {
    this.#initializers.push(tensorMessage(tensor, name));
    return name;
  }

  /** A constant in a file of its own: the model then has to be loaded from a path. */
  external({ type, dims, location, offset, length }: ExternalTensor, name = this.#fresh("weight")): string {
    const entries = { location, offset: String(offset), length: String(length) };
    const externalData = Object.entries(entries).map(([key, value]) => ({ key, value }));
    this.#initializers.push({ name, dims, dataType: elementTypeNumbers[type], externalData, dataLocation: 1 });
    return name;
  }

  /** Adds a node with one output; "" stands for an optional input that is absent. */
  node(operator: string, inputs: readonly string[], options?: NodeOptions): string {
    return at(this.nodes(operator, inputs, 1, options), 0);
  }

  /** Adds a node with several outputs, for example Split. */
  nodes(operator: string, inputs: readonly string[], outputs: number, options: NodeOptions = {}): string[] {
    const name = options.name ?? this.#fresh(operator);
    const output = Array.from({ length: outputs }, (_, index) => `${name}:${index}`);
    this.#nodes.push({
      name,
      opType: operator,
      domain: options.domain ?? "",
      input: inputs,
      output,
      attribute: Object.entries(options.attributes ?? {}).map(([key, value]) => attributeMessage(key, value)),
    });
    return output;
  }

  /** Makes a value an output of the graph under a name of its own. */
  output(name: string, value: string, type: TensorType, dims?: readonly Dimension[]): void {
    const made = this.#nodes.some((node) => node.output.includes(value));
    const source = made && !this.#renamed.has(value) ? value : this.node("Identity", [value]);
    this.#renamed.set(source, name);
    this.#outputs.push(valueMessage(name, type, dims));
  }

  /** The nodes added so far, in order. */
  listNodes(): readonly BuiltNode[] {
    return this.#nodes.map(({ opType, input, output }) => ({ operator: opType, inputs: input, outputs: output }));
  }

  /** The serialised model, without the nodes and constants that no output needs. */
  build(): Uint8Array {
    const renamed = [...this.#renamed].filter(([, name]) => this.#outputs.some((output) => output.name === name));
    const wanted = [...this.#outputs.map(({ name }) => name), ...renamed.map(([value]) => value)];
    return this.#encode(this.#inputs, this.#outputs, this.#select(wanted));
  }

  /** The model that computes some values from given ones. */
  part(outputs: readonly string[], given: ReadonlyMap<string, TensorType>): BuiltPart {
    const selection = this.#select(outputs, given);
    const inputs = this.#inputs.filter(({ name }) => selection.values.has(name) && !given.has(name));
    const fed = [...given].map(([name, type]) => valueMessage(name, type, undefined));
    const made = outputs.map((name) => ({ name }));
    return { model: this.#encode([...inputs, ...fed], made, selection), inputs: inputs.map(({ name }) => name) };
  }

  /** What some values need. @param given values that are not to be computed */
  #select(wanted: readonly string[], given: ReadonlyMap<string, TensorType> = new Map()): Selection {
    const values = new Set(wanted);
    const nodes = this.#nodes.toReversed().filter(({ input, output }) => {
      const used = output.some((value) => values.has(value) && !given.has(value));
      if (used) for (const value of input) values.add(value);
      return used;
    });
    return { nodes: nodes.toReversed(), values };
  }

  #encode(input: readonly ValueMessage[], output: readonly ValueMessage[], { nodes, values }: Selection): Uint8Array {
    return encodeModel({
      // IR version 10 is the one that came with opset 21
      irVersion: 10,
      producerName: "mbs",
      opsetImport: [
        { domain: "", version: opset },
        { domain: "com.microsoft", version: 1 },
      ],
      graph: {
        name: this.#name,
        node: nodes.map((node) => this.#rename(node)),
        initializer: this.#initializers.filter(({ name = "" }) => values.has(name)),
        input,
        output,
      },
    });
  }

  /** The nodes added since the last call, serialised for another graph; values that became outputs have their names. */
  takeNodes(): readonly Uint8Array[] {
    const nodes = this.#nodes.map((node) => encodeMessage("NodeProto", this.#rename(node)));
    this.#nodes = [];
    return nodes;
  }

  /** The constants added so far, serialised for another graph. */
  tensors(): readonly Uint8Array[] {
    return this.#initializers.map((tensor) => encodeMessage("TensorProto", tensor));
  }

  #rename(node: NodeMessage): NodeMessage {
    const rename = (value: string): string => this.#renamed.get(value) ?? value;
    return { ...node, input: node.input.map(rename), output: node.output.map(rename) };
  }

  #fresh(kind: string): string {
    this.#values += 1;
    return `${this.#prefix}${kind}-${this.#values}`;
  }
}
