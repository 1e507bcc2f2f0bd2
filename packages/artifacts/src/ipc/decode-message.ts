import { BadDataError, type ColumnType, type Field as ColumnField, type Schema as ArtifactSchema } from "@mbs/contracts";
import { Endianness } from "apache-arrow/fb/endianness";
import { Field } from "apache-arrow/fb/field";
import { FloatingPoint } from "apache-arrow/fb/floating-point";
import { Int } from "apache-arrow/fb/int";
import type { KeyValue } from "apache-arrow/fb/key-value";
import { Message } from "apache-arrow/fb/message";
import { MessageHeader } from "apache-arrow/fb/message-header";
import { MetadataVersion } from "apache-arrow/fb/metadata-version";
import { Precision } from "apache-arrow/fb/precision";
import { RecordBatch } from "apache-arrow/fb/record-batch";
import { Schema } from "apache-arrow/fb/schema";
import { Type } from "apache-arrow/fb/type";
import { ByteBuffer } from "flatbuffers";
import { requireVersion } from "../kinds/schemas.ts";
import type { BodyPlan } from "./encode-message.ts";
import { fieldLimit, messageLimit, pairLimit } from "./frame.ts";

/** A batch as its flatbuffer states it, not yet checked against its body. */
export interface BatchHeader extends BodyPlan {
  readonly metadata: ReadonlyMap<string, string>;
}

const refuse = (what: string, offset: number): BadDataError =>
  new BadDataError(`Arrow message at byte ${offset}: ${what}; write the artifact again with this program`, { offset });

/** A whole number within bounds, or NaN, which no comparison lets through. */
const bounded = (value: bigint | undefined): number =>
  value !== undefined && value >= 0n && value <= BigInt(messageLimit) ? Number(value) : Number.NaN;

interface HasPairs {
  customMetadataLength(): number;
  customMetadata(index: number): KeyValue | null;
}

function readPairs(table: HasPairs, offset: number): Map<string, string> {
  const count = table.customMetadataLength();
  if (!(count >= 0 && count <= pairLimit)) throw refuse(`${count} metadata entries, at most ${pairLimit} are read`, offset);
  const pairs = new Map<string, string>();
  for (let index = 0; index < count; index++) {
    const pair = table.customMetadata(index);
    const key = pair?.key() ?? "";
    if (pairs.has(key)) throw refuse(`metadata ${JSON.stringify(key)} is there twice`, offset);
    pairs.set(key, pair?.value() ?? "");
  }
  return pairs;
}

function openMessage(header: Uint8Array, expected: MessageHeader, offset: number): Message {
  const message = Message.getRootAsMessage(new ByteBuffer(header));
  const type = message.headerType();
  if (type === MessageHeader.DictionaryBatch) throw refuse("dictionaries are not read", offset);
  if (type !== expected) {
    throw refuse(`expected a ${MessageHeader[expected]}, found ${MessageHeader[type] ?? "something unknown"}`, offset);
  }
  const version = message.version();
  if (version !== MetadataVersion.V5 && version !== MetadataVersion.V4)
    throw refuse("Arrow metadata older than version 4", offset);
  return message;
}

/** The column type of a field; undefined for one that no artifact has. */
function columnType(field: Field, nested = false): ColumnType | "float32" | undefined {
  if (field.dictionary()) return undefined;
  switch (field.typeType()) {
    case Type.Utf8:
      return "utf8";
    case Type.Binary:
      return "binary";
    case Type.Int: {
      const int = field.type(new Int()) as Int | null;
      const bits = int?.isSigned() ? int.bitWidth() : 0;
      return bits === 32 ? "int32" : bits === 64 ? "int64" : undefined;
    }
    case Type.FloatingPoint: {
      const precision = (field.type(new FloatingPoint()) as FloatingPoint | null)?.precision();
      return precision === Precision.DOUBLE ? "float64" : precision === Precision.SINGLE ? "float32" : undefined;
    }
    case Type.List: {
      const child = nested || field.childrenLength() !== 1 ? null : field.children(0);
      const item = child && columnType(child, true);
      return item === "int32" || item === "float32" ? `list<${item}>` : undefined;
    }
    default:
      return undefined;
  }
}

function readField(field: Field | null, offset: number): ColumnField {
  const name = field?.name() ?? "";
  const type = field ? columnType(field) : undefined;
  if (type === undefined || type === "float32") {
    const typeName = field?.dictionary() ? "a dictionary" : (Type[field?.typeType() ?? 0] ?? "unknown");
    throw refuse(`column ${JSON.stringify(name)} has a type that no artifact has (${typeName})`, offset);
  }
  return { name, type };
}

/**
 * The schema of an artifact from the flatbuffer that opens a stream.
 *
 * @throws {BadDataError} where it is no artifact's
 * @throws {FailedPreconditionError} on an unknown version of a known kind
 */
export function decodeSchemaHeader(header: Uint8Array, offset: number): ArtifactSchema {
  const schema = openMessage(header, MessageHeader.Schema, offset).header(new Schema()) as Schema | null;
  if (!schema) throw refuse("no schema in it", offset);
  if (schema.endianness() !== Endianness.Little) throw refuse("big-endian data is not read", offset);
  const { "mbs.kind": kind, "mbs.version": version, ...metadata } = Object.fromEntries(readPairs(schema, offset));
  if (kind === undefined || version === undefined || !/^[1-9]\d{0,8}$/.test(version)) {
    throw new BadDataError(
      "an Arrow stream, but no artifact: its schema has no mbs.kind and mbs.version; see docs/artifacts.md",
      {
        offset,
      },
    );
  }
  requireVersion(kind, Number(version));
  const count = schema.fieldsLength();
  if (!(count >= 1 && count <= fieldLimit)) throw refuse(`${count} columns, 1 to ${fieldLimit} are read`, offset);
  const fields = Array.from({ length: count }, (_, index) => readField(schema.fields(index), offset));
  if (new Set(fields.map(({ name }) => name)).size !== count) throw refuse("two columns of one name", offset);
  return { kind, version: Number(version), fields, metadata };
}

const nodesOf = (type: ColumnType): number => (type.startsWith("list") ? 2 : 1);
const buffersOf = (type: ColumnType): number => (type.startsWith("list") ? 4 : type === "utf8" || type === "binary" ? 3 : 2);

/**
 * The plan of a batch from its flatbuffer. Counts of nodes and buffers are those of the fields; lengths are at most a
 * message's.
 */
export function decodeBatchHeader(header: Uint8Array, fields: readonly ColumnField[], offset: number): BatchHeader {
  const message = openMessage(header, MessageHeader.RecordBatch, offset);
  const batch = message.header(new RecordBatch()) as RecordBatch | null;
  if (!batch) throw refuse("no batch in it", offset);
  if (batch.compression()) throw refuse("compressed batches are not read", offset);
  const nodeCount = fields.reduce((sum, { type }) => sum + nodesOf(type), 0);
  const bufferCount = fields.reduce((sum, { type }) => sum + buffersOf(type), 0);
  if (batch.nodesLength() !== nodeCount || batch.buffersLength() !== bufferCount) {
    throw refuse(
      `${batch.nodesLength()} nodes and ${batch.buffersLength()} buffers, expected ${nodeCount} and ${bufferCount}`,
      offset,
    );
  }
  const nodes = Array.from({ length: nodeCount }, (_, index) => {
    const node = batch.nodes(index);
    if (node?.nullCount() !== 0n) throw refuse("null values are not read", offset);
    return bounded(node.length());
  });
  const buffers = Array.from({ length: bufferCount }, (_, index) => {
    const buffer = batch.buffers(index);
    return { offset: bounded(buffer?.offset()), length: bounded(buffer?.length()) };
  });
  return {
    rows: bounded(batch.length()),
    nodes,
    buffers,
    bodyLength: bounded(message.bodyLength()),
    metadata: readPairs(message, offset),
  };
}
