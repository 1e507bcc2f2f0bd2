import type { ColumnType, Field as ColumnField, Schema as ArtifactSchema } from "@mbs/contracts";
import { Binary } from "apache-arrow/fb/binary";
import { Buffer as BufferSlice } from "apache-arrow/fb/buffer";
import { Endianness } from "apache-arrow/fb/endianness";
import { Field } from "apache-arrow/fb/field";
import { FieldNode } from "apache-arrow/fb/field-node";
import { FloatingPoint } from "apache-arrow/fb/floating-point";
import { Int } from "apache-arrow/fb/int";
import { KeyValue } from "apache-arrow/fb/key-value";
import { List } from "apache-arrow/fb/list";
import { Message } from "apache-arrow/fb/message";
import { MessageHeader } from "apache-arrow/fb/message-header";
import { MetadataVersion } from "apache-arrow/fb/metadata-version";
import { Precision } from "apache-arrow/fb/precision";
import { RecordBatch } from "apache-arrow/fb/record-batch";
import { Schema } from "apache-arrow/fb/schema";
import { Type } from "apache-arrow/fb/type";
import { Utf8 } from "apache-arrow/fb/utf8";
import { Builder, type Offset } from "flatbuffers";

type Pairs = readonly (readonly [string, string])[];

function writePairs(builder: Builder, pairs: Pairs): Offset[] {
  return pairs.map(([key, value]) => {
    const keyOffset = builder.createString(key);
    const valueOffset = builder.createString(value);
    return KeyValue.createKeyValue(builder, keyOffset, valueOffset);
  });
}

type WrittenType = readonly [Type, Offset, itemType?: "int32" | "float32"];

function writeType(builder: Builder, type: ColumnType | "float32"): WrittenType {
  switch (type) {
    case "utf8":
      return [Type.Utf8, Utf8.createUtf8(builder)];
    case "binary":
      return [Type.Binary, Binary.createBinary(builder)];
    case "int32":
      return [Type.Int, Int.createInt(builder, 32, true)];
    case "int64":
      return [Type.Int, Int.createInt(builder, 64, true)];
    case "float32":
      return [Type.FloatingPoint, FloatingPoint.createFloatingPoint(builder, Precision.SINGLE)];
    case "float64":
      return [Type.FloatingPoint, FloatingPoint.createFloatingPoint(builder, Precision.DOUBLE)];
    case "list<int32>":
      return [Type.List, List.createList(builder), "int32"];
    case "list<float32>":
      return [Type.List, List.createList(builder), "float32"];
  }
}

function writeField(builder: Builder, name: string, type: ColumnType | "float32"): Offset {
  const [typeId, typeOffset, itemType] = writeType(builder, type);
  const children = Field.createChildrenVector(builder, itemType ? [writeField(builder, "item", itemType)] : []);
  const nameOffset = builder.createString(name);
  Field.startField(builder);
  Field.addName(builder, nameOffset);
  Field.addNullable(builder, false);
  Field.addTypeType(builder, typeId);
  Field.addType(builder, typeOffset);
  Field.addChildren(builder, children);
  return Field.endField(builder);
}

function finish(builder: Builder, type: MessageHeader, header: Offset, bodyLength: number, pairs: Pairs): Uint8Array {
  const metadata = pairs.length > 0 ? Message.createCustomMetadataVector(builder, writePairs(builder, pairs)) : undefined;
  Message.startMessage(builder);
  Message.addVersion(builder, MetadataVersion.V5);
  Message.addHeaderType(builder, type);
  Message.addHeader(builder, header);
  Message.addBodyLength(builder, BigInt(bodyLength));
  if (metadata !== undefined) Message.addCustomMetadata(builder, metadata);
  Message.finishMessageBuffer(builder, Message.endMessage(builder));
  return builder.asUint8Array();
}

/** The flatbuffer that opens a stream. */
export function encodeSchemaHeader(schema: ArtifactSchema): Uint8Array {
  const builder = new Builder(4096);
  const fields = Schema.createFieldsVector(
    builder,
    schema.fields.map(({ name, type }: ColumnField) => writeField(builder, name, type)),
  );
  const pairs: Pairs = [
    ["mbs.kind", schema.kind],
    ["mbs.version", String(schema.version)],
    ...Object.entries(schema.metadata).sort(),
  ];
  const metadata = Schema.createCustomMetadataVector(builder, writePairs(builder, pairs));
  Schema.startSchema(builder);
  Schema.addEndianness(builder, Endianness.Little);
  Schema.addFields(builder, fields);
  Schema.addCustomMetadata(builder, metadata);
  return finish(builder, MessageHeader.Schema, Schema.endSchema(builder), 0, []);
}

/** Where the buffers of a batch lie in the body. Lengths of nodes: rows of a column, or elements of a list's items. */
export interface BodyPlan {
  readonly rows: number;
  readonly nodes: readonly number[];
  readonly buffers: readonly { readonly offset: number; readonly length: number }[];
  readonly bodyLength: number;
}

/** The flatbuffer of one batch. */
export function encodeBatchHeader(plan: BodyPlan, pairs: Pairs = []): Uint8Array {
  const builder = new Builder(1024);
  // Vectors of structs are written back to front.
  RecordBatch.startBuffersVector(builder, plan.buffers.length);
  for (const { offset, length } of plan.buffers.toReversed()) BufferSlice.createBuffer(builder, BigInt(offset), BigInt(length));
  const buffers = builder.endVector();
  RecordBatch.startNodesVector(builder, plan.nodes.length);
  for (const length of plan.nodes.toReversed()) FieldNode.createFieldNode(builder, BigInt(length), 0n);
  const nodes = builder.endVector();
  RecordBatch.startRecordBatch(builder);
  RecordBatch.addLength(builder, BigInt(plan.rows));
  RecordBatch.addNodes(builder, nodes);
  RecordBatch.addBuffers(builder, buffers);
  return finish(builder, MessageHeader.RecordBatch, RecordBatch.endRecordBatch(builder), plan.bodyLength, pairs);
}
