import { readdir } from "node:fs/promises";
import { connect } from "node:http2";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { status } from "@grpc/grpc-js";
import type { FlightMessage } from "@mbs/artifacts";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { receive, send } from "../src/protocol/messages-in-order.ts";
import type { FlightData } from "../src/protocol/messages.ts";
import { withHeartbeats } from "../src/client/flight-client.ts";
import { callMake, segmentMessages, withServer } from "./fixtures/fake-server.ts";
import { all, callOf, errorOf } from "./fixtures/flight-client.ts";

const test = suite("idle calls");

/** Above what a loaded machine needs between two steps of a test. */
const idleMs = 2000;

const toData = ({ header, body }: FlightMessage): FlightData => ({
  dataHeader: header,
  dataBody: body,
});

/** An input that stops in its middle for longer than the limit. */
async function* slowly(): AsyncGenerator<FlightMessage> {
  for await (const message of segmentMessages(1)) {
    yield message;
    await delay(1.5 * idleMs);
  }
}

test("a client that falls silent while its input is waited for gets DEADLINE_EXCEEDED, its slot is free", () =>
  withServer({ idleMs }, async ({ client }) => {
    const call = client.exchange();
    const answers = all(call);
    await send(call, callOf({ stage: "pass" }));
    // Nothing but the schema.
    for await (const message of segmentMessages(0)) await send(call, toData(message));
    const error = await errorOf(answers);
    assert.is(error.code, status.DEADLINE_EXCEEDED, error.details);
    assert.is(error.details, "the client sent nothing for 2 s; call again, and send and read at the same time");
    assert.ok((await callMake(client)).length > 1);
  }));

test("a call without its first message, and a silent DoPut, end too; nothing is left in the store", () =>
  withServer({ idleMs: 1000 }, async ({ client, folder }) => {
    const put = client.put();
    const answers = all(put);
    for await (const message of segmentMessages(3)) await send(put, toData(message));
    const errors = await Promise.all([errorOf(answers), errorOf(all(client.exchange()))]);
    for (const { code, details } of errors) assert.is(code, status.DEADLINE_EXCEEDED, details);
    assert.equal(await readdir(join(folder, "store")), []);
  }));

test("a request whose one message does not arrive ends too", () =>
  withServer({ idleMs: 1000 }, async ({ server, client }) => {
    const session = connect(`http://127.0.0.1:${server.port}`);
    for (const method of ["GetFlightInfo", "DoGet"]) {
      const request = session.request({
        ":method": "POST",
        ":path": `/arrow.flight.protocol.FlightService/${method}`,
        "content-type": "application/grpc",
        te: "trailers",
      });
      const headers = await new Promise<Record<string, unknown>>((resolve) => request.once("response", resolve));
      assert.is(Number(headers["grpc-status"]), status.DEADLINE_EXCEEDED, method);
    }
    session.destroy();
    assert.equal(await client.list(), []);
  }));

test("a client that reads none of the output frees its slot; when it reads on, it gets the reason", () =>
  withServer({ idleMs }, async ({ client }) => {
    const call = client.exchange();
    call.on("error", () => undefined);
    await send(call, callOf({ stage: "make", options: { segments: { number: 1e6 }, length: { number: 500_000 } } }));
    call.end();
    const answers = receive<FlightData>(call);
    assert.not((await answers.next()).done);
    // Reads nothing more; the only slot must become free.
    assert.ok((await callMake(client)).length > 1);
    const error = await errorOf(
      (async () => {
        for await (const _ of answers);
      })(),
    );
    assert.is(error.code, status.DEADLINE_EXCEEDED, error.details);
    assert.match(error.details, /^the client read none of the output for 2 s;/);
  }));

test("a stage that computes longer than the limit is waited for, its input open or not", () =>
  withServer({ idleMs, children: 2 }, async ({ client }) => {
    const run = async (openMs: number) => {
      const call = client.exchange();
      const answers = all<FlightData>(call);
      await send(call, callOf({ stage: "pass", options: { block: { number: 2 * idleMs } } }));
      for await (const message of segmentMessages(2)) await send(call, toData(message));
      // The stage blocks after its first segment, when it has all that was sent.
      await delay(openMs);
      call.end();
      return answers;
    };
    for (const answers of await Promise.all([run(0), run(1.5 * idleMs)])) assert.ok(answers.length > 1);
  }));

test("a client that is slow but active is not idle, nor one whose own input is slow", () =>
  withServer({ idleMs }, async ({ client }) => {
    const call = client.exchange();
    const answers = all<FlightData>(call);
    await send(call, callOf({ stage: "pass" }));
    for await (const message of withHeartbeats(slowly(), idleMs / 10)) await send(call, message);
    call.end();
    assert.ok((await answers).length > 1);
  }));

test.run();
