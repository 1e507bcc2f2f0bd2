import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";
import { status } from "@grpc/grpc-js";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { receive, send } from "../src/protocol/messages-in-order.ts";
import type { FlightData } from "../src/protocol/messages.ts";
import { childrenGone, childrenNow, untilChildren } from "./fixtures/child-processes.ts";
import { segmentMessages, withServer } from "./fixtures/fake-server.ts";
import { FlightClient, all, callOf, errorOf } from "./fixtures/flight-client.ts";

const test = suite("shutdown");

/** One that nobody could finish in the time of a test. */
const longCall = callOf({ stage: "make", options: { segments: { number: 1e6 }, pause: { number: 20 } } });

test("a call that runs, one that waits and one that stores get UNAVAILABLE; no child is left", () =>
  withServer({}, async ({ server, client, folder, log }) => {
    const running = client.exchange();
    const answers = receive<FlightData>(running);
    await send(running, longCall);
    // The schema: the stage is at work.
    await answers.next();
    const waiting = client.exchange();
    await send(waiting, longCall);
    const storing = client.put();
    for await (const { header, body } of segmentMessages(2)) await send(storing, { dataHeader: header, dataBody: body });
    // It came last on their connection: the server has all three.
    while ((await readdir(join(folder, "store"))).length === 0) await delay(20);
    const endings = [
      errorOf(
        (async () => {
          for await (const _ of answers);
        })(),
      ),
      errorOf(all(waiting)),
      errorOf(all(storing)),
    ];
    await server.close();
    assert.equal(await childrenNow(), []);
    for (const { code, details } of await Promise.all(endings)) {
      assert.is(code, status.UNAVAILABLE, details);
      assert.is(details, "the server is shutting down; call again later");
    }
    assert.equal(log, [], "a shutdown is no fault of the server");
  }));

test("a child in native code, which handles no signal, is killed", () =>
  withServer({}, async ({ server, client }) => {
    const call = client.exchange();
    const ending = errorOf(all(call));
    await send(call, callOf({ stage: "pass", options: { block: { number: 600_000 } } }));
    for await (const { header, body } of segmentMessages(3)) await send(call, { dataHeader: header, dataBody: body });
    await untilChildren(1);
    const started = performance.now();
    await server.close();
    // Killed after one second; unless it is, it goes on for ten minutes.
    assert.ok(performance.now() - started < 60_000, `${performance.now() - started} ms`);
    await childrenGone();
    assert.is((await ending).code, status.UNAVAILABLE);
  }));

test("a client that reads nothing does not hold up the end", () =>
  withServer({}, async ({ server }) => {
    const client = new FlightClient(server.port);
    const call = client.exchange();
    call.on("error", () => undefined);
    await send(call, callOf({ stage: "make", options: { segments: { number: 1e6 }, length: { number: 500_000 } } }));
    assert.not((await receive<FlightData>(call).next()).done);
    await server.close();
    await childrenGone();
    client.close();
  }));

test.run();
