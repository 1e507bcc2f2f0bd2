import protobuf from "protobufjs";

/**
 * The part of ONNX's messages that graphs built here use. Field numbers are those of the standard.
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
    repeated float floats = 7;
    repeated int64 ints = 8;
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
    optional string name = 8;
    optional bytes raw_data = 9;
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

export interface AttributeMessage {
  name: string;
  type: number;
  f?: number;
  i?: number;
  s?: Uint8Array;
  t?: TensorMessage;
  floats?: readonly number[];
  ints?: readonly number[];
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
  dims: readonly number[];
  dataType: number;
  /** The values, little-endian; absent where they lie in another file. */
  rawData?: Uint8Array;
  /** location, offset and length of values in another file. */
  externalData?: readonly { key: string; value: string }[];
  /** 1 where the values lie in another file. */
  dataLocation?: number;
}

export interface ValueMessage {
  name: string;
  type: { tensorType: { elemType: number; shape?: { dim: readonly ({ dimValue: number } | { dimParam: string })[] } } };
}

export interface ModelMessage {
  irVersion: number;
  producerName: string;
  opsetImport: readonly { domain: string; version: number }[];
  graph: {
    name: string;
    node: readonly NodeMessage[];
    initializer: readonly TensorMessage[];
    input: readonly ValueMessage[];
    output: readonly ValueMessage[];
  };
}

const model = protobuf.parse(messages).root.lookupType("onnx.ModelProto");

/** Serialises a model. */
export const encodeModel = (message: ModelMessage): Uint8Array => model.encode(model.fromObject(message)).finish();
