import { createHash, type Hash } from "node:crypto";
import { at, type ArtifactStream, type Batch, type Schema } from "@mbs/contracts";
import { columnBytes, type ColumnBytes } from "./column-bytes.ts";
import { canonicalJson } from "./json.ts";

/** What is known of an artifact once all of it has passed. */
export interface Receipt {
  /** Content address. */
  readonly address: string;
  readonly rows: number;
  /** Batches with rows. */
  readonly batches: number;
}

/** Whether a value has the form of a content address: a SHA-256, 64 digits 0-9a-f. */
export function isAddress(text: string): boolean;
export function isAddress(value: unknown): value is string;
export function isAddress(value: unknown): boolean {
  return typeof value === "string" && /^[0-9a-f]{64}$/.test(value);
}

/** Builds a content address. Batches are added in order; how rows are divided into batches does not matter. */
interface AddressBuilder {
  add(rows: number, columns: readonly ColumnBytes[]): void;
  /** To be called once, after the last batch. */
  finish(): Receipt;
}

function lengthsBytes({ lengths }: ColumnBytes): Uint8Array | undefined {
  return lengths && new Uint8Array(lengths.buffer, lengths.byteOffset, lengths.byteLength);
}

/**
 * SHA-256 over the canonical JSON of the schema and, column by column, the SHA-256 of the row lengths and of the values.
 * docs/artifacts.md gives it byte by byte.
 */
export function startAddress(schema: Schema): AddressBuilder {
  const columns: readonly { lengths: Hash; values: Hash }[] = schema.fields.map(() => ({
    lengths: createHash("sha256"),
    values: createHash("sha256"),
  }));
  let rows = 0;
  let batches = 0;
  return {
    add(count, bytes) {
      if (count === 0) return;
      rows += count;
      batches += 1;
      for (const [index, { lengths, values }] of columns.entries()) {
        const column = at(bytes, index);
        const ofLengths = lengthsBytes(column);
        if (ofLengths) lengths.update(ofLengths);
        for (const part of column.parts) values.update(part);
      }
    },
    finish() {
      const { kind, version, fields, metadata } = schema;
      const head = canonicalJson({ kind, version, fields: fields.map(({ name, type }) => [name, type]), metadata, rows });
      const whole = createHash("sha256").update(head);
      for (const { lengths, values } of columns) whole.update(lengths.digest()).update(values.digest());
      return { address: whole.digest("hex"), rows, batches };
    },
  };
}

/** A stream that is addressed while it is read. */
export interface AddressedStream {
  readonly stream: ArtifactStream;
  /** To be called once, when the last batch has been read. */
  receipt(): Receipt;
}

/** Passes an artifact on and computes its content address, so that one read does both. A known address is not computed again. */
export function addressOnTheWay({ schema, batches, address }: ArtifactStream): AddressedStream {
  if (address !== undefined) return countOnTheWay({ schema, batches }, address);
  const builder = startAddress(schema);
  const pass = async function* (): AsyncGenerator<Batch> {
    for await (const batch of batches) {
      builder.add(
        batch.rows,
        schema.fields.map((field) => columnBytes(field, batch)),
      );
      yield batch;
    }
  };
  return { stream: { schema, batches: pass() }, receipt: () => builder.finish() };
}

function countOnTheWay({ schema, batches }: ArtifactStream, address: string): AddressedStream {
  const found = { rows: 0, batches: 0 };
  const pass = async function* (): AsyncGenerator<Batch> {
    for await (const batch of batches) {
      if (batch.rows > 0) {
        found.rows += batch.rows;
        found.batches += 1;
      }
      yield batch;
    }
  };
  return { stream: { schema, batches: pass() }, receipt: () => ({ address, ...found }) };
}

/** Reads an artifact to its end for its content address. */
export async function contentAddress(artifact: ArtifactStream): Promise<Receipt> {
  const addressed = addressOnTheWay(artifact);
  const batches = addressed.stream.batches[Symbol.asyncIterator]();
  while (!(await batches.next()).done);
  return addressed.receipt();
}
