import protobuf from "protobufjs";

/**
 * ONNX's messages, as far as graphs need them to run. Field numbers are those of the standard.
 *
 * @see https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
 */
const messages = `
  syntax = "proto2";
  package onnx;
  message AttributeProto {
    optional string name = 1;
    optional float f = 2;
    optional int64 i = 3;
    optional bytes s = 4;
    optional TensorProto t = 5;
    optional GraphProto g = 6;
    repeated float floats = 7;
    repeated int64 ints = 8;
    repeated bytes strings = 9;
    repeated TensorProto tensors = 10;
    repeated GraphProto graphs = 11;
    optional int32 type = 20;
  }
  message NodeProto {
    repeated string input = 1;
    repeated string output = 2;
    optional string name = 3;
    optional string op_type = 4;
    repeated AttributeProto attribute = 5;
    optional string domain = 7;
  }
  message StringStringEntryProto {
    optional string key = 1;
    optional string value = 2;
  }
  message TensorProto {
    repeated int64 dims = 1;
    optional int32 data_type = 2;
    repeated float float_data = 4 [packed = true];
    repeated int32 int32_data = 5 [packed = true];
    repeated bytes string_data = 6;
    repeated int64 int64_data = 7 [packed = true];
    optional string name = 8;
    optional bytes raw_data = 9;
    repeated double double_data = 10 [packed = true];
    repeated uint64 uint64_data = 11 [packed = true];
    repeated StringStringEntryProto external_data = 13;
    optional int32 data_location = 14;
  }
  message TensorShapeProto {
    message Dimension {
      optional int64 dim_value = 1;
      optional string dim_param = 2;
    }
    repeated Dimension dim = 1;
  }
  message TypeProto {
    message Tensor {
      optional int32 elem_type = 1;
      optional TensorShapeProto shape = 2;
    }
    optional Tensor tensor_type = 1;
  }
  message ValueInfoProto {
    optional string name = 1;
    optional TypeProto type = 2;
  }
  message GraphProto {
    repeated NodeProto node = 1;
    optional string name = 2;
    repeated TensorProto initializer = 5;
    repeated ValueInfoProto input = 11;
    repeated ValueInfoProto output = 12;
    repeated ValueInfoProto value_info = 13;
  }
  message OperatorSetIdProto {
    optional string domain = 1;
    optional int64 version = 2;
  }
  message ModelProto {
    optional int64 ir_version = 1;
    optional string producer_name = 2;
    optional GraphProto graph = 7;
    repeated OperatorSetIdProto opset_import = 8;
  }
`;

/** Numbers of 64 bits may come as objects from a file; `Number` reads both. */
export type Integer = number | { toNumber(): number };

export interface AttributeMessage {
  name: string;
  type: number;
  f?: number;
  i?: Integer;
  s?: Uint8Array;
  /** Messages that a file does not have are null. */
  t?: TensorMessage | null;
  g?: GraphMessage | null;
  floats?: readonly number[];
  ints?: readonly Integer[];
  tensors?: readonly TensorMessage[];
  graphs?: readonly GraphMessage[];
}

export interface NodeMessage {
  input: readonly string[];
  output: readonly string[];
  name: string;
  opType: string;
  domain: string;
  attribute: readonly AttributeMessage[];
}

export interface TensorMessage {
  name?: string;
  dims: readonly Integer[];
  dataType: number;
  /** The values, little-endian; absent where they are in another file or in a list of their own type. */
  rawData?: Uint8Array;
  /** location, offset and length of values in another file. */
  externalData?: readonly { key: string; value: string }[];
  /** 1 where the values are in another file. */
  dataLocation?: number;
}

export interface ValueMessage {
  name: string;
  /** Absent where it has to be inferred. */
  type?: { tensorType?: { elemType: number; shape?: { dim: readonly { dimValue?: Integer; dimParam?: string }[] } } };
}

export interface GraphMessage {
  name: string;
  node: readonly NodeMessage[];
  initializer: readonly TensorMessage[];
  input: readonly ValueMessage[];
  output: readonly ValueMessage[];
}

export interface OpsetMessage {
  domain: string;
  version: Integer;
}

export interface ModelMessage {
  irVersion: number;
  producerName: string;
  opsetImport: readonly OpsetMessage[];
  graph: GraphMessage;
}

const { root } = protobuf.parse(messages);
const model = root.lookupType("onnx.ModelProto");

/** Serialises a model. */
export const encodeModel = (message: ModelMessage): Uint8Array => model.encode(model.fromObject(message)).finish();

interface MessageTypes {
  NodeProto: NodeMessage;
  TensorProto: TensorMessage;
  ValueInfoProto: ValueMessage;
  OperatorSetIdProto: OpsetMessage;
}

/**
 * Reads one message.
 *
 * @throws {Error} where the bytes are none
 */
export const decodeMessage = <Name extends keyof MessageTypes>(name: Name, bytes: Uint8Array): MessageTypes[Name] =>
  // what a decoder hands out has the fields of its message, lists and texts never absent
  root.lookupType(`onnx.${name}`).decode(bytes) as unknown as MessageTypes[Name];

/** Serialises one message. */
export function encodeMessage<Name extends keyof MessageTypes>(name: Name, message: MessageTypes[Name]): Uint8Array {
  const type = root.lookupType(`onnx.${name}`);
  return type.encode(type.fromObject(message)).finish();
}
