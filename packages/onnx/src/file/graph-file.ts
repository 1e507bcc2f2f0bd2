import type { Dimension } from "../graph-builder.ts";
import type { OpsetMessage, TensorMessage } from "../onnx-messages.ts";
import type { ByteSource, Span } from "./byte-source.ts";
import type { GraphNode } from "./graph-node.ts";
import type { Field } from "./protobuf-fields.ts";

/** A constant of a graph. */
export interface GraphTensor {
  readonly name: string;
  /** Number of TensorProto.DataType. */
  readonly type: number;
  readonly dims: readonly number[];
  /** Where its values are in the model's file, little-endian; absent where they are elsewhere. */
  readonly inline?: Span;
  /** The file's entries for values in another file, unchecked: location, offset, length. */
  readonly external?: ReadonlyMap<string, string>;
  /** The tensor's message without large values. */
  readonly message: TensorMessage;
  /** The whole field. */
  readonly span: Span;
}

/** An input or output of a graph. */
export interface GraphValue {
  readonly name: string;
  /** Number of TensorProto.DataType; 0 where unknown. */
  readonly type: number;
  readonly dims: readonly Dimension[] | undefined;
}

/** A model file: its graph in memory, the values of its tensors still in the file. */
export interface GraphFile {
  readonly path: string;
  readonly irVersion: number;
  readonly opsets: readonly OpsetMessage[];
  /** In an order in which they can run. */
  readonly nodes: readonly GraphNode[];
  readonly tensors: ReadonlyMap<string, GraphTensor>;
  /** Without constants that older files list here too. */
  readonly inputs: readonly GraphValue[];
  readonly outputs: readonly GraphValue[];
  /** Every field of the model, and every field of its graph. */
  readonly modelFields: readonly Field[];
  readonly graphFields: readonly Field[];
  readonly source: ByteSource;
  /** Whether its nodes are those of a branch. */
  readonly merged?: boolean;
}

/** Field numbers of ModelProto and GraphProto. */
export const modelField = { irVersion: 1, graph: 7, opset: 8 } as const;
export const graphField = { node: 1, tensor: 5, input: 11, output: 12, sparse: 15 } as const;
