import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import type { ClientHttp2Session, ClientHttp2Stream } from "node:http2";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { send } from "../src/protocol/messages-in-order.ts";
import type { FlightData } from "../src/protocol/messages.ts";
import { callLimit } from "../src/server/serve.ts";
import { childrenGone, untilChildren } from "./fixtures/child-processes.ts";
import { callMake, segmentMessages, withServer } from "./fixtures/fake-server.ts";
import { all, callOf, errorOf } from "./fixtures/flight-client.ts";
import type { FlightClient } from "./fixtures/flight-client.ts";

const test = suite("attacks");

const headersOf = (method: string) => ({
  ":method": "POST",
  ":path": `/arrow.flight.protocol.FlightService/${method}`,
  "content-type": "application/grpc",
  te: "trailers",
});

/** Opens a call and leaves it half open; whatever becomes of it is no error of the test. */
function halfOpen(session: ClientHttp2Session, method: string): ClientHttp2Stream {
  const stream = session.request(headersOf(method));
  stream.on("error", () => undefined).resume();
  return stream;
}

const gone = (stream: ClientHttp2Stream | ClientHttp2Session | Socket): Promise<void> =>
  new Promise((resolve) => (stream.destroyed ? resolve() : void stream.once("close", () => resolve())));

function open(port: number): ClientHttp2Session {
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  session.on("error", () => undefined);
  return session;
}

const alive = async (client: FlightClient): Promise<void> => assert.ok((await callMake(client)).length > 1);

test("a thousand silent connections: others are served, and the silent ones are closed", () =>
  withServer({ keepalive: { timeMs: 1000, timeoutMs: 3000 } }, async ({ server, client }) => {
    const sockets: Socket[] = [];
    // One after the other: Linux keeps 511 that the server has not accepted yet. Of those beyond, it may forget some whose
    // clients take them for connected, and which never end.
    while (sockets.length < 1000) {
      const socket = connect({ port: server.port, host: "127.0.0.1" });
      socket.on("error", () => undefined).resume();
      await once(socket, "connect");
      sockets.push(socket);
    }
    await alive(client);
    await Promise.all(sockets.map(gone));
  }));

test("more half-open calls than the limit are UNAVAILABLE; those that end free a slot", () =>
  withServer({ callsPerClient: callLimit }, async ({ server, client }) => {
    const session = open(server.port);
    const streams = Array.from({ length: callLimit }, (_, index) => halfOpen(session, index % 2 === 0 ? "DoExchange" : "DoGet"));
    // On the same connection and so after them.
    const last = session.request(headersOf("DoPut"));
    const headers = await new Promise<Record<string, unknown>>((resolve) => last.once("response", resolve));
    assert.is(Number(headers["grpc-status"]), status.UNAVAILABLE);
    const { code, details } = await errorOf(client.list());
    assert.is(code, status.UNAVAILABLE);
    assert.is(details, `${callLimit} calls are open, as many as this server takes; call again later`);
    for (const stream of streams) stream.close();
    await Promise.all(streams.map(gone));
    await alive(client);
    session.destroy();
  }));

test("connections that end in the middle of their calls leave nothing counted", () =>
  withServer({}, async ({ server, client }) => {
    for (let turn = 0; turn < 4; turn++) {
      const session = open(server.port);
      for (let count = 0; count < callLimit / 2; count++) halfOpen(session, "DoPut");
      await new Promise<void>((resolve) => session.ping(() => resolve()));
      session.destroy();
      await gone(session);
    }
    await alive(client);
  }));

/** A frame of HTTP/2 of stream 1, or of the connection (stream 0). */
function frame(type: number, flags: number, stream: number, body: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(body.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, body]);
}

/** A header of 100 bytes as HPACK writes it literally. */
const header = Buffer.concat([Buffer.from([0, 6]), Buffer.from("x-long"), Buffer.from([92]), Buffer.alloc(92, "y")]);
const block = Buffer.concat(Array.from({ length: 160 }, () => header));
const frames = { headers: 1, settings: 4, continuation: 9 };

test("headers without an end close their connection before they fill the memory", () =>
  withServer({}, async ({ server, client }) => {
    const socket = connect({ port: server.port, host: "127.0.0.1" });
    socket.on("error", () => undefined).resume();
    const closed = gone(socket);
    socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    socket.write(frame(frames.settings, 0, 0, Buffer.alloc(0)));
    socket.write(frame(frames.headers, 0, 1, block));
    let taken = block.length;
    while (!socket.destroyed && taken < 64 * 1024 * 1024) {
      await new Promise<void>((resolve) => socket.write(frame(frames.continuation, 0, 1, block), () => resolve()));
      taken += block.length;
    }
    await closed;
    // What lies in the system's own buffers counts too.
    assert.ok(taken < 32 * 1024 * 1024, `${taken} bytes of headers were taken`);
    await alive(client);
  }));

test("messages in the wrong order are INVALID_ARGUMENT", () =>
  withServer({}, async ({ client, folder }) => {
    const messages: FlightData[] = [];
    for await (const { header, body } of segmentMessages(2)) messages.push({ dataHeader: header, dataBody: body });
    const [head = {}, batch = {}] = messages;
    const orders: Record<string, FlightData[]> = {
      "a batch before the schema": [batch, head],
      "a second schema": [head, batch, head, batch],
      "a body without its header": [head, { dataHeader: batch.dataHeader ?? new Uint8Array(0) }],
      "a header that is none": [head, { dataHeader: Buffer.from("nonsense"), dataBody: Buffer.alloc(64) }],
    };
    for (const [what, order] of Object.entries(orders)) {
      const put = client.put();
      const putError = errorOf(all(put));
      const call = client.exchange();
      const callError = errorOf(all(call));
      call.write(callOf({ stage: "pass" }));
      for (const message of order) {
        put.write(message);
        call.write(message);
      }
      put.end();
      call.end();
      for (const { code, details } of await Promise.all([putError, callError])) {
        assert.is(code, status.INVALID_ARGUMENT, `${what}: ${details}`);
      }
    }
    assert.equal(await readdir(join(folder, "store")), []);
    await alive(client);
  }));

test("calls that are cancelled at any moment of a child's start leave no child and no slot taken", () =>
  withServer({}, async ({ client }) => {
    for (const afterMs of [0, 1, 3, 10, 30, 100]) {
      const call = client.exchange();
      call.on("error", () => undefined);
      await send(call, callOf({ stage: "make", options: { pause: { number: 600_000 } } }));
      await new Promise((resolve) => setTimeout(resolve, afterMs));
      call.cancel();
    }
    await alive(client);
    await childrenGone();
  }));

test("two calls with one output: both succeed, and it is stored once", () =>
  withServer({ children: 2 }, async ({ client, folder }) => {
    const results = await Promise.all(
      [1, 2].map(async () => {
        const call = client.exchange();
        const answers = all<FlightData>(call);
        await send(call, callOf({ stage: "split" }));
        call.end();
        return answers;
      }),
    );
    assert.ok(results.every((answers) => answers.length > 1));
    const [stored = "", ...others] = await readdir(join(folder, "store"));
    assert.match(stored, /^[0-9a-f]{64}\.arrow$/);
    assert.equal(others, []);
    const puts = await Promise.all(
      [1, 2, 3].map(async () => {
        const put = client.put();
        const answers = all<{ appMetadata: Uint8Array }>(put);
        for await (const { header, body } of segmentMessages(3)) await send(put, { dataHeader: header, dataBody: body });
        put.end();
        return Buffer.from((await answers)[0]?.appMetadata ?? []).toString();
      }),
    );
    assert.is(new Set(puts).size, 1);
    assert.is((await readdir(join(folder, "store"))).length, 2);
  }));

test("faults 44: a child that is killed again and again frees its slot each time", () =>
  withServer({}, async ({ client, log }) => {
    for (let turn = 0; turn < 3; turn++) {
      const call = client.exchange();
      const answers = errorOf(all(call));
      await send(call, callOf({ stage: "pass", options: { crashAfter: { number: 1 } } }));
      for await (const { header, body } of segmentMessages(3))
        await send(call, { dataHeader: header, dataBody: body }).catch(() => {});
      const { code, details } = await answers;
      assert.is(code, status.INTERNAL);
      assert.is(details, "the call failed inside the server; its log says why");
    }
    assert.is(log.filter((line) => /ended by SIGKILL/.test(line)).length, 3);
    await alive(client);
    await untilChildren(0);
  }));

test.run();
