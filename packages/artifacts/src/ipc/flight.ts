import { BadDataError, type ArtifactStream, type Batch, type Schema } from "@mbs/contracts";
import { columnBytes } from "../column-bytes.ts";
import { startAddress } from "../content-address.ts";
import type { Receipt } from "../content-address.ts";
import { decodeBody } from "./decode-body.ts";
import { decodeBatchHeader, decodeSchemaHeader } from "./decode-message.ts";
import type { DecodedStream } from "./decode-stream.ts";
import { planBody, writeBody } from "./encode-body.ts";
import { encodeBatchHeader, encodeSchemaHeader } from "./encode-message.ts";
import { continuation, messageLimit, prefixSize } from "./frame.ts";
import { splitReceipt } from "./split-receipt.ts";

/** One FlightData message: `header` goes to data_header, `body` to data_body. */
export interface FlightMessage {
  readonly header: Uint8Array;
  readonly body: Uint8Array;
}

/**
 * An artifact as Flight messages, the schema first. Without hashes and without an end: gRPC guards the bytes, and its
 * half-close or OK status is the end.
 */
export async function* encodeFlight({ schema, batches }: ArtifactStream): AsyncGenerator<FlightMessage> {
  yield { header: encodeSchemaHeader(schema), body: new Uint8Array(0) };
  for await (const batch of batches) {
    if (batch.rows === 0) continue;
    const columns = schema.fields.map((field) => columnBytes(field, batch));
    const plan = planBody(schema.fields, batch.rows, columns);
    const body = Buffer.allocUnsafeSlow(plan.bodyLength);
    writeBody(plan, body);
    yield { header: encodeBatchHeader(plan), body };
  }
}

/** What GetSchema and FlightInfo.schema hold: the schema as an encapsulated Arrow message. */
export function encodeSchemaMessage(schema: Schema): Uint8Array {
  const header = encodeSchemaHeader(schema);
  const length = Math.ceil(header.length / 8) * 8;
  const message = Buffer.alloc(prefixSize + length);
  message.writeUInt32LE(continuation, 0);
  message.writeInt32LE(length, 4);
  message.set(header, prefixSize);
  return message;
}

/** The body at a multiple of 8 in its memory, for views of 4 and 8 bytes; a gRPC library does not promise that. */
const aligned = (body: Uint8Array): Uint8Array =>
  body.byteOffset % 8 === 0 ? new Uint8Array(body.buffer, body.byteOffset, body.length) : Uint8Array.from(body);

async function* decodeBatches(messages: AsyncIterator<FlightMessage>, schema: Schema): AsyncGenerator<Batch, Receipt> {
  const address = startAddress(schema);
  try {
    for (let count = 1; ; count++) {
      const next = await messages.next();
      if (next.done) return address.finish();
      const { header, body } = next.value;
      if (header.length === 0) continue;
      if (header.length + body.length > messageLimit) {
        throw new BadDataError(`Flight message ${count} is over the limit of ${messageLimit} bytes; send smaller batches`, {
          count,
        });
      }
      const plan = decodeBatchHeader(header, schema.fields, count);
      const { batch, bytes } = decodeBody(plan, aligned(body), schema.fields, count);
      address.add(batch.rows, bytes);
      if (batch.rows > 0) yield batch;
    }
  } finally {
    await messages.return?.();
  }
}

/**
 * Reads an artifact from Flight messages of any client. Messages without a header (descriptor or metadata alone) are
 * passed over; batches without rows, such as the end of a stored stream, too.
 *
 * @throws {BadDataError} here or while batches are read: nothing sent, no artifact, a message that is not what it states
 * @throws {FailedPreconditionError} on an unknown version
 */
export async function decodeFlight(messages: AsyncIterable<FlightMessage>): Promise<DecodedStream> {
  const iterator = messages[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await iterator.next();
      if (next.done) throw new BadDataError("empty: expected an artifact, got no schema");
      if (next.value.header.length === 0) continue;
      const schema = decodeSchemaHeader(next.value.header, 0);
      const { items, receipt } = splitReceipt(decodeBatches(iterator, schema));
      return { schema, batches: items, receipt };
    }
  } catch (cause) {
    await iterator.return?.();
    throw cause;
  }
}
