import { BadDataError, type ArtifactStream, type Batch, type Schema } from "@mbs/contracts";
import { startAddress } from "../content-address.ts";
import type { Receipt } from "../content-address.ts";
import { readBytes, type ByteReader } from "./byte-reader.ts";
import { decodeBody } from "./decode-body.ts";
import { readFrame, requireEnd } from "./decode-frame.ts";
import { decodeBatchHeader, decodeSchemaHeader, type BatchHeader } from "./decode-message.ts";
import { splitReceipt } from "./split-receipt.ts";

/** An artifact being read, with what is known at its end. */
export interface DecodedStream extends ArtifactStream {
  /** Known when the last batch was read; rejects where reading failed or was broken off. */
  readonly receipt: Promise<Receipt>;
}

function checkEnd({ metadata }: BatchHeader, found: Receipt, offset: number): void {
  const facts = { rows: String(found.rows), batches: String(found.batches), address: found.address };
  for (const [name, value] of Object.entries(facts)) {
    const stated = metadata.get(`mbs.${name}`);
    if (stated !== value) {
      const problem = stated === undefined ? `a batch without rows and without ${name}` : `${name} ${stated}, found ${value}`;
      throw new BadDataError(`the end of the artifact at byte ${offset} states ${problem}: damaged, or a part is missing`, {
        offset,
      });
    }
  }
}

async function* decodeBatches(reader: ByteReader, schema: Schema): AsyncGenerator<Batch, Receipt> {
  const address = startAddress(schema);
  let end: Receipt | undefined;
  try {
    for (let frame = await readFrame(reader); frame; frame = await readFrame(reader)) {
      const { header, body, offset } = frame;
      if (end) throw new BadDataError(`a batch at byte ${offset} after the end of the artifact; write it again`, { offset });
      const plan = decodeBatchHeader(header, schema.fields, offset);
      if (plan.bodyLength !== body.length) {
        throw new BadDataError(`Arrow message at byte ${offset} states two lengths of its body; write the artifact again`, {
          offset,
        });
      }
      const { batch, bytes } = decodeBody(plan, body, schema.fields, offset);
      address.add(batch.rows, bytes);
      if (batch.rows > 0) {
        yield batch;
      } else {
        end = address.finish();
        checkEnd(plan, end, offset);
      }
    }
    if (!end) {
      throw new BadDataError(
        `the Arrow stream closes at byte ${reader.offset} without the end of an artifact: its writer stopped early`,
        {
          offset: reader.offset,
        },
      );
    }
    await requireEnd(reader);
    return end;
  } finally {
    await reader.close();
  }
}

/**
 * Reads an artifact from bytes in chunks of any size. The schema is read at once, batches as they are asked for; the
 * values of a batch are views of its message. Memory is one message, whatever the stream says.
 *
 * @throws {BadDataError} here or while batches are read: empty, cut, damaged, over a limit, or no artifact
 * @throws {FailedPreconditionError} on an unknown version
 */
export async function decodeStream(bytes: AsyncIterable<Uint8Array>): Promise<DecodedStream> {
  const reader = readBytes(bytes);
  try {
    const frame = await readFrame(reader);
    if (!frame) throw new BadDataError("the Arrow stream closes before its schema; write it again", { offset: 0 });
    const schema = decodeSchemaHeader(frame.header, frame.offset);
    if (frame.body.length > 0) throw new BadDataError("the schema of the Arrow stream has a body; write it again", { offset: 0 });
    const { items, receipt } = splitReceipt(decodeBatches(reader, schema));
    return { schema, batches: items, receipt };
  } catch (cause) {
    await reader.close();
    throw cause;
  }
}
