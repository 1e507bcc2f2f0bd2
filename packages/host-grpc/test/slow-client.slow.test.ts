import { setTimeout as delay } from "node:timers/promises";
import { encodeFlight, encodeSegments } from "@mbs/artifacts";
import type { Segment } from "@mbs/artifacts";
import type { ArtifactStream } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { receive, send } from "../src/protocol/messages-in-order.ts";
import type { FlightData } from "../src/protocol/messages.ts";
import { startServer } from "./fixtures/fake-server.ts";
import { callOf } from "./fixtures/flight-client.ts";

const length = 100_000;
const segments = 2500;
const total = 4 * length * segments;
/** 16 messages of 3.2 MB in three queues (out of the client, out of the server, into the client), windows, pipes, batches at work. */
const mostOnTheWay = 256e6;

function manySegments(): ArtifactStream {
  const tokens = new Int32Array(length).fill(7);
  async function* items(): AsyncGenerator<Segment> {
    for (let segment = 0; segment < segments; segment++) yield { segment, language: "en", documents: 1, tokens };
  }
  const addresses = { tokenizer: "a".repeat(64), corpus: "b".repeat(64), distribution: "" };
  return encodeSegments(items(), { ...addresses, length, seed: 0, mix: "equal", counts: {}, shortfall: {} });
}

test("faults 37: a client that stops reading holds up the sender", async () => {
  const { client, stop } = await startServer();
  try {
    const call = client.exchange();
    call.on("error", () => undefined);
    let sent = 0;
    const sending = (async () => {
      await send(call, callOf({ stage: "pass" }));
      for await (const { header, body } of encodeFlight(manySegments())) {
        await send(call, { dataHeader: header, dataBody: body });
        sent += body.length;
      }
      call.end();
    })().catch((error: unknown) => assert.instance(error, Error));
    // grpc-js pulls all into its own memory until the first message is asked for; from then on it pulls one by one.
    const incoming = receive<FlightData>(call);
    assert.not((await incoming.next()).done);
    let before = -1;
    while (sent !== before) {
      before = sent;
      await delay(3000);
    }
    assert.ok(sent < mostOnTheWay, `${sent} of ${total} bytes were taken though nobody reads`);
    call.cancel();
    await sending;
  } finally {
    await stop();
  }
});

test.run();
