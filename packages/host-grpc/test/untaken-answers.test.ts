import { connect } from "node:http2";
import type { ClientHttp2Session, ClientHttp2Stream } from "node:http2";
import { setTimeout as delay } from "node:timers/promises";
import { status } from "@grpc/grpc-js";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { send } from "../src/protocol/messages-in-order.ts";
import { flightService } from "../src/protocol/flight-service.ts";
import { callMake, segmentMessages, withServer } from "./fixtures/fake-server.ts";
import { all, callOf, errorOf } from "./fixtures/flight-client.ts";
import type { FlightClient } from "./fixtures/flight-client.ts";

const test = suite("answers that a client does not take");

const idleMs = 500;

/** A client that gives the server no window: it takes headers, and not one byte of an answer. */
async function connectWithoutWindow(port: number): Promise<ClientHttp2Session> {
  const session = connect(`http://127.0.0.1:${port}`, { settings: { initialWindowSize: 0 } });
  session.on("error", () => undefined);
  await new Promise((resolve) => session.once("localSettings", resolve));
  return session;
}

/** Opens a call with the one message that it sends. */
function openCall(session: ClientHttp2Session, path: string, message: Buffer): ClientHttp2Stream {
  const stream = session.request({ ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" });
  stream.on("error", () => undefined);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  stream.end(Buffer.concat([head, message]));
  return stream;
}

const headersOf = (stream: ClientHttp2Stream) =>
  new Promise<Record<string, unknown>>((resolve) => stream.once("response", resolve));

/** Whether work that needs a place goes well within ten times the limit, once it has been refused. */
async function becomesFree(work: () => Promise<unknown>): Promise<boolean> {
  const end = Date.now() + 10 * idleMs;
  assert.is((await errorOf(work())).code, status.UNAVAILABLE);
  while (Date.now() < end) {
    const refused = await work().then(
      () => false,
      () => true,
    );
    if (!refused) return true;
    await delay(idleMs / 10);
  }
  return false;
}

async function put(client: FlightClient): Promise<string> {
  const call = client.put();
  const answers = all<{ appMetadata: Uint8Array }>(call);
  for await (const { header, body } of segmentMessages(2)) await send(call, { dataHeader: header, dataBody: body });
  call.end();
  return Buffer.from((await answers)[0]?.appMetadata ?? []).toString();
}

test("every call gives its place back, and says why when its client reads on", () =>
  withServer({ idleMs, callsPerClient: 1 }, async ({ server, client }) => {
    const address = Buffer.from(await put(client));
    const { listFlights, getFlightInfo, getSchema, doGet, doAction, doExchange, listActions } = flightService;
    const descriptor = { type: 1, cmd: new Uint8Array(0), path: [address.toString()] };
    const calls: readonly [string, Buffer][] = [
      [listActions.path, Buffer.alloc(0)],
      [doAction.path, doAction.requestSerialize({ type: "list-stages", body: new Uint8Array(0) })],
      [listFlights.path, Buffer.alloc(0)],
      [getFlightInfo.path, getFlightInfo.requestSerialize(descriptor)],
      [getSchema.path, getSchema.requestSerialize(descriptor)],
      [doGet.path, doGet.requestSerialize({ ticket: address })],
      [doExchange.path, doExchange.requestSerialize(callOf({ stage: "make" }))],
    ];
    for (const [path, message] of calls) {
      const session = await connectWithoutWindow(server.port);
      const stream = openCall(session, path, message);
      await headersOf(stream);
      assert.ok(await becomesFree(() => callMake(client)), path);
      const trailers = new Promise<Record<string, unknown>>((resolve) => stream.once("trailers", resolve));
      session.settings({ initialWindowSize: 65_535 });
      stream.resume();
      assert.is(Number((await trailers)["grpc-status"]), status.DEADLINE_EXCEEDED, path);
      session.destroy();
    }
  }));

test("calls of health give their places back", () =>
  withServer({ idleMs }, async ({ server }) => {
    const path = "/grpc.health.v1.Health/Check";
    const session = await connectWithoutWindow(server.port);
    await Promise.all(Array.from({ length: 20 }, () => headersOf(openCall(session, path, Buffer.alloc(0)))));
    const other = connect(`http://127.0.0.1:${server.port}`);
    const check = async (): Promise<void> => {
      const stream = openCall(other, path, Buffer.alloc(0)).resume();
      // a call that is refused has its status here
      const { "grpc-status": code } = await headersOf(stream);
      if (code !== undefined) throw Object.assign(new Error("refused"), { code: Number(code) });
    };
    assert.ok(await becomesFree(check));
    session.destroy();
    other.destroy();
  }));

test("a client that is slow to take an answer, but takes a message within the limit, gets all", () =>
  withServer({ idleMs: 2000, callsPerClient: 1 }, async ({ server, client }) => {
    const address = Buffer.from(await put(client));
    const session = await connectWithoutWindow(server.port);
    const stream = openCall(session, flightService.doGet.path, flightService.doGet.requestSerialize({ ticket: address }));
    const trailers = new Promise<Record<string, unknown>>((resolve) => stream.once("trailers", resolve));
    await headersOf(stream);
    await delay(500);
    session.settings({ initialWindowSize: 65_535 });
    stream.resume();
    assert.is(Number((await trailers)["grpc-status"]), status.OK);
    session.destroy();
  }));

test.run();
