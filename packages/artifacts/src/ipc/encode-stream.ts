import type { ArtifactStream } from "@mbs/contracts";
import { columnBytes, emptyColumn } from "../column-bytes.ts";
import { startAddress } from "../content-address.ts";
import type { Receipt } from "../content-address.ts";
import { planBody } from "./encode-body.ts";
import { encodeBatchHeader, encodeSchemaHeader } from "./encode-message.ts";
import { endOfStream, encodeFrame } from "./frame.ts";
import { splitReceipt } from "./split-receipt.ts";

export interface EncodedStream {
  /** One chunk a message, at most 4 MiB each. Read once. */
  readonly bytes: AsyncIterable<Uint8Array>;
  /** Known when the last chunk was read; rejects where reading failed or was broken off. */
  readonly receipt: Promise<Receipt>;
}

async function* encode({ schema, batches }: ArtifactStream): AsyncGenerator<Uint8Array, Receipt> {
  const address = startAddress(schema);
  yield encodeFrame(encodeSchemaHeader(schema));
  for await (const batch of batches) {
    if (batch.rows === 0) continue;
    const columns = schema.fields.map((field) => columnBytes(field, batch));
    address.add(batch.rows, columns);
    const body = planBody(schema.fields, batch.rows, columns);
    yield encodeFrame(encodeBatchHeader(body), body);
  }
  const receipt = address.finish();
  const body = planBody(
    schema.fields,
    0,
    schema.fields.map(({ type }) => emptyColumn(type)),
  );
  const end = [
    ["mbs.rows", String(receipt.rows)],
    ["mbs.batches", String(receipt.batches)],
    ["mbs.address", receipt.address],
  ] as const;
  yield encodeFrame(encodeBatchHeader(body, end), body);
  yield endOfStream;
  return receipt;
}

/**
 * Writes an artifact as an Arrow IPC stream with a hash in each message and an end that states rows, batches and
 * content address. Any Arrow reader reads it; docs/artifacts.md gives it byte by byte.
 */
export function encodeStream(stream: ArtifactStream): EncodedStream {
  const { items, receipt } = splitReceipt(encode(stream));
  return { bytes: items, receipt };
}
