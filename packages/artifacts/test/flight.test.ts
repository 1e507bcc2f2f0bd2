import { isDeepStrictEqual } from "node:util";
import { collect, decodeFlight, encodeFlight, encodeSchemaMessage, readStates, type FlightMessage } from "@mbs/artifacts";
import { BadDataError, FailedPreconditionError } from "@mbs/contracts";
import { MessageReader, RecordBatchReader, tableFromIPC, tableToIPC } from "apache-arrow";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { encodeWhole, errorOf, samples, states } from "./samples.ts";

const test = suite("flight");

async function* of(messages: readonly FlightMessage[]): AsyncGenerator<FlightMessage> {
  yield* messages;
}

const messages = () => collect(encodeFlight(samples.segments.encode()));
const none = new Uint8Array(0);

test("states pass with their panels, and every message fits gRPC's limit", async () => {
  const sent = await collect(encodeFlight(samples.states.encode()));
  assert.ok(sent.every(({ header, body }) => header.length + body.length < 4 * 1024 * 1024 - 1024));
  assert.ok(isDeepStrictEqual(await collect(readStates(await decodeFlight(of(sent)))), states));
});

/** What another program's client sends that has read our stream with its Arrow: its own messages, not ours. */
function foreign(stream: Uint8Array): FlightMessage[] {
  const ipc = Buffer.from(tableToIPC(tableFromIPC(stream), "stream"));
  const found: FlightMessage[] = [];
  for (let at = 0; ;) {
    const length = ipc.readInt32LE(at + 4);
    if (length === 0) return found;
    const header = ipc.subarray(at + 8, at + 8 + length);
    const [message] = new MessageReader(ipc.subarray(at));
    assert.ok(message);
    const body = ipc.subarray(at + 8 + length, at + 8 + length + message.bodyLength);
    found.push({ header, body });
    at += 8 + length + message.bodyLength;
  }
}

test("messages of another Arrow implementation are read, wherever their memory lies", async () => {
  const sent = foreign(await encodeWhole(samples.states.encode()));
  const misaligned = sent.map(({ header, body }) => ({ header, body: Buffer.concat([Buffer.from([0]), body]).subarray(1) }));
  for (const list of [sent, misaligned, [{ header: none, body: none }, ...sent]]) {
    assert.ok(isDeepStrictEqual(await collect(readStates(await decodeFlight(of(list)))), states));
  }
});

test("Arrow's own reader reads the stream, its end and the schema message", async () => {
  const table = tableFromIPC(await encodeWhole(samples.states.encode()));
  assert.is(table.numRows, 4);
  assert.is(table.schema.metadata.get("mbs.kind"), "states");
  const { schema } = samples.segments.encode();
  const message = encodeSchemaMessage(schema);
  const reader = RecordBatchReader.from(Buffer.concat([message, Uint8Array.of(255, 255, 255, 255, 0, 0, 0, 0)])).open();
  assert.equal(
    reader.schema.fields.map(({ name }) => name),
    schema.fields.map(({ name }) => name),
  );
});

const read = async (list: readonly FlightMessage[]) => collect((await decodeFlight(of(list))).batches);

test("no schema, a body cut short, an unknown version and an oversized message are refused", async () => {
  assert.match((await errorOf(() => decodeFlight(of([])))).message, /empty/);
  assert.match((await errorOf(() => decodeFlight(of([{ header: none, body: none }])))).message, /empty/);
  const [schema, batch] = await messages();
  assert.ok(schema && batch);
  assert.instance(await errorOf(() => read([batch])), BadDataError);
  for (const body of [none, batch.body.subarray(0, batch.body.length - 16)]) {
    assert.instance(await errorOf(() => read([schema, { ...batch, body }])), BadDataError);
  }
  const big = { header: batch.header, body: new Uint8Array(4 * 1024 * 1024) };
  assert.match((await errorOf(() => read([schema, big]))).message, /over the limit/);
  const { schema: known, batches } = samples.segments.encode();
  const newer = encodeFlight({ schema: { ...known, version: 3 }, batches });
  assert.instance(await errorOf(() => decodeFlight(newer)), FailedPreconditionError);
});

test.run();
