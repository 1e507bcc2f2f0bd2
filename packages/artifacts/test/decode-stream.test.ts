import { createHash } from "node:crypto";
import { collect, decodeStream, encodeStream } from "@mbs/artifacts";
import { BadDataError, FailedPreconditionError, type ArtifactStream, type Field } from "@mbs/contracts";
import { Dictionary, Int32, Utf8, tableFromArrays, tableToIPC, vectorFromArray, Table } from "apache-arrow";
import { BodyCompression } from "apache-arrow/fb/body-compression";
import { BodyCompressionMethod } from "apache-arrow/fb/body-compression-method";
import { CompressionType } from "apache-arrow/fb/compression-type";
import { Message } from "apache-arrow/fb/message";
import { MessageHeader } from "apache-arrow/fb/message-header";
import { MetadataVersion } from "apache-arrow/fb/metadata-version";
import { RecordBatch } from "apache-arrow/fb/record-batch";
import { Builder, ByteBuffer } from "flatbuffers";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { processorSeconds } from "../../../tools/test/processor-seconds.ts";
import { encodeWhole, errorOf, inChunks, samples } from "./samples.ts";

const test = suite("decode stream");

const readAll = async (bytes: AsyncIterable<Uint8Array>): Promise<number> => {
  const { batches, receipt } = await decodeStream(bytes);
  await collect(batches);
  return (await receipt).rows;
};

const whole = await encodeWhole(samples.segments.encode());
const messages = await collect(encodeStream(samples.segments.encode()).bytes);
const [schemaFrame, batchFrame, endFrame, closing] = messages as [Buffer, Buffer, Buffer, Buffer];

/** Refused with one line that states where. */
async function refused(bytes: Uint8Array, message?: RegExp): Promise<void> {
  const error = await errorOf(() => readAll(inChunks(bytes)));
  assert.instance(error, BadDataError);
  assert.not.match(error.message, /\n/);
  if (message) assert.match(error.message, message);
}

test("a whole stream is read, whatever its chunks", async () => {
  for (const size of [1, 7, 48, 4096]) assert.is(await readAll(inChunks(whole, size)), 2);
});

test("nothing at all is refused", async () => {
  await refused(new Uint8Array(0), /empty/);
  assert.match((await errorOf(() => readAll((async function* () {})()))).message, /empty/);
});

test("a cut at every byte is refused", async () => {
  for (let length = 1; length < whole.length; length++) await refused(whole.subarray(0, length));
});

test("a flipped bit in every byte is refused", async () => {
  for (const [index, byte] of whole.entries()) {
    const flipped = Buffer.from(whole);
    flipped[index] = byte ^ (1 << (index % 8));
    await refused(flipped);
  }
});

const join = (...parts: Uint8Array[]) => Buffer.concat(parts);

test("a batch that is missing, twice or behind the end is refused, though each has its hash", async () => {
  await refused(join(schemaFrame, endFrame, closing), /states rows 2, found 0/);
  await refused(join(schemaFrame, batchFrame, batchFrame, endFrame, closing), /states rows 2, found 4/);
  await refused(join(schemaFrame, batchFrame, endFrame, batchFrame, closing), /after the end/);
  await refused(join(schemaFrame, batchFrame, closing), /without the end/);
  await refused(join(schemaFrame, batchFrame, endFrame), /cut short/);
  await refused(join(closing), /before its schema/);
  await refused(join(batchFrame, endFrame, closing), /expected a Schema/);
  await refused(join(schemaFrame, schemaFrame, batchFrame, endFrame, closing), /expected a RecordBatch/);
  await refused(join(whole, whole), /more bytes after the end/);
});

test("rows that came before the fault were right, and the fault is an error of the iteration", async () => {
  const { batches, receipt } = await decodeStream(inChunks(whole.subarray(0, -20)));
  let rows = 0;
  const error = await errorOf(async () => {
    for await (const batch of batches) rows += batch.rows;
  });
  assert.is(rows, 2);
  assert.instance(error, BadDataError);
  assert.is(await errorOf(() => receipt), error);
});

/** The message with its hash made right again, as an attacker would. */
function rehash(frame: Buffer): Buffer {
  const bodyAt = 8 + frame.readInt32LE(4);
  const hash = createHash("sha256")
    .update(frame.subarray(0, bodyAt - 32))
    .update(frame.subarray(bodyAt));
  frame.set(hash.digest(), bodyAt - 32);
  return frame;
}

async function refusedFast(bytes: Uint8Array): Promise<boolean> {
  let error: unknown;
  const seconds = await processorSeconds(async () => {
    error = await readAll(inChunks(bytes)).then(
      () => undefined,
      (cause: unknown) => cause,
    );
  });
  assert.ok(seconds < 1, `${seconds} s`);
  if (error !== undefined) assert.ok(error instanceof BadDataError || error instanceof FailedPreconditionError);
  return error !== undefined;
}

test("hostile lengths with a right hash: each word of the flatbuffers, in under a second and without a crash", async () => {
  let refusals = 0;
  for (const [index, frame] of [schemaFrame, batchFrame, endFrame].entries()) {
    const metadataLength = frame.readInt32LE(4);
    for (let at = 8; at + 4 <= 8 + metadataLength - 48; at += 4) {
      for (const value of [0x7fffffff, 0xffffffff, 0x00ffffff]) {
        const hostile = Buffer.from(frame);
        hostile.writeUInt32LE(value, at);
        const parts = [...messages];
        parts[index] = rehash(hostile);
        if (await refusedFast(Buffer.concat(parts))) refusals++;
      }
    }
  }
  assert.ok(refusals > 500, `${refusals}`);
});

test("hostile offsets in a body with a right hash are refused", async () => {
  const bodyAt = 8 + batchFrame.readInt32LE(4);
  let refusals = 0;
  for (let at = bodyAt; at + 4 <= batchFrame.length; at += 4) {
    for (const value of [0x7fffffff, -1, 1_000_000]) {
      const hostile = Buffer.from(batchFrame);
      hostile.writeInt32LE(value, at);
      if (await refusedFast(Buffer.concat([schemaFrame, rehash(hostile), endFrame, closing]))) refusals++;
    }
  }
  // The end's address refuses even what is well-formed; only padding may hold anything.
  assert.ok(refusals > 30, `${refusals}`);
});

test("a message over the limit is refused before it is read", async () => {
  const huge = Buffer.from(batchFrame);
  const bodyAt = 8 + huge.readInt32LE(4);
  huge.writeBigUInt64LE(2n ** 40n, bodyAt - 40);
  await refused(Buffer.concat([schemaFrame, rehash(huge)]), /1099511627776 bytes, the limit of a message is 4194304/);
  const metadata = Buffer.from(batchFrame);
  metadata.writeInt32LE(0x7ffffff8, 4);
  await refused(Buffer.concat([schemaFrame, metadata]), /2147483640 bytes of metadata/);
});

/** Arrow's own writer's messages with our hashes, to get at what lies behind the hash. */
function hashed(stream: Uint8Array): Buffer {
  const frames: Buffer[] = [];
  const source = Buffer.from(stream);
  for (let at = 0; at < source.length;) {
    const length = source.readInt32LE(at + 4);
    if (length === 0) break;
    const header = source.subarray(at + 8, at + 8 + length);
    const bodyLength = Number(Message.getRootAsMessage(new ByteBuffer(header)).bodyLength());
    const prefix = Buffer.from(source.subarray(at, at + 8));
    prefix.writeInt32LE(length + 48, 4);
    const trailer = Buffer.alloc(48);
    trailer.write("mbs.hash", 0, "latin1");
    trailer.writeBigUInt64LE(BigInt(bodyLength), 8);
    const body = source.subarray(at + 8 + length, at + 8 + length + bodyLength);
    frames.push(rehash(Buffer.concat([prefix, header, trailer, body])));
    at += 8 + length + bodyLength;
  }
  return Buffer.concat(frames);
}

const described = <T extends Table>(table: T): T => {
  table.schema.metadata.set("mbs.kind", "own").set("mbs.version", "1");
  return table;
};

test("streams and files of other programs, dictionaries, nulls, other types and no columns are refused", async () => {
  const plain = described(tableFromArrays({ a: Int32Array.of(1, 2) }));
  await refused(tableToIPC(plain, "stream"), /has no hash/);
  await refused(tableToIPC(plain, "file"), /an Arrow file, not an Arrow stream/);
  await refused(Buffer.from("segment,language\n"), /no artifact: it does not begin as one; give what a stage of mbs has written/);
  await refused(hashed(tableToIPC(tableFromArrays({ a: Int32Array.of(1) }), "stream")), /no mbs.kind/);
  await refused(hashed(tableToIPC(described(tableFromArrays({ a: Int16Array.of(1) })), "stream")), /no artifact has \(Int\)/);
  const dictionary = new Table({ a: vectorFromArray(["x", "y"], new Dictionary(new Utf8(), new Int32())) });
  await refused(hashed(tableToIPC(described(dictionary), "stream")), /no artifact has \(a dictionary\)/);
  const nulls = new Table({ a: vectorFromArray([1, null], new Int32()) });
  await refused(hashed(tableToIPC(described(nulls), "stream")), /null values/);
  await refused(hashed(tableToIPC(described(new Table()), "stream")), /0 columns/);
});

test("a compressed batch is refused before anything is inflated", async () => {
  const builder = new Builder();
  const compression = BodyCompression.createBodyCompression(builder, CompressionType.ZSTD, BodyCompressionMethod.BUFFER);
  RecordBatch.startRecordBatch(builder);
  RecordBatch.addLength(builder, 1n);
  RecordBatch.addCompression(builder, compression);
  const batch = RecordBatch.endRecordBatch(builder);
  builder.finish(Message.createMessage(builder, MetadataVersion.V5, MessageHeader.RecordBatch, batch, 0n, 0));
  const header = builder.asUint8Array();
  const prefix = Buffer.alloc(8, 255);
  prefix.writeInt32LE(Math.ceil(header.length / 8) * 8, 4);
  const padding = Buffer.alloc((8 - (header.length % 8)) % 8);
  await refused(Buffer.concat([schemaFrame, hashed(Buffer.concat([prefix, header, padding, closing]))]), /compressed/);
});

test("an unknown version is refused with the one found, the one supported and what to do", async () => {
  for (const [version, remedy] of [
    [3, "update this program"],
    [9, "update this program"],
  ] as const) {
    const { schema, batches } = samples.segments.encode();
    const changed: ArtifactStream = { schema: { ...schema, version }, batches };
    const error = await errorOf(async () => readAll(inChunks(await encodeWhole(changed))));
    assert.instance(error, FailedPreconditionError);
    assert.match(error.message, new RegExp(`version ${version}, version 2 is supported: ${remedy}`));
  }
});

test("memory stays that of one message, and the source is closed when reading stops", async () => {
  let closed = false;
  const fields: Field[] = [{ name: "data", type: "binary" }];
  const data = new Uint8Array(1024 * 1024);
  async function* batches() {
    try {
      for (;;) yield { rows: 1, columns: { data: [data] } };
    } finally {
      closed = true;
    }
  }
  const { bytes } = encodeStream({ schema: { kind: "own", version: 1, fields, metadata: {} }, batches: batches() });
  const decoded = await decodeStream(bytes);
  const before = process.memoryUsage().arrayBuffers;
  let count = 0;
  let most = 0;
  for await (const batch of decoded.batches) {
    count += batch.rows;
    most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    if (count === 300) break;
  }
  assert.ok(closed);
  assert.ok(most < 150 * 1024 * 1024, `${most} bytes`);
  assert.match((await errorOf(() => decoded.receipt)).message, /not read to its end/);
});

test.run();
