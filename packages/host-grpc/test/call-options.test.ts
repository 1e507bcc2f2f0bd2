import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { send } from "../src/protocol/messages-in-order.ts";
import type { StageCall } from "../src/protocol/messages.ts";
import { optionsLimit } from "../src/server/stage-call.ts";
import { childrenNow, untilChildren } from "./fixtures/child-processes.ts";
import { segmentMessages, withServer } from "./fixtures/fake-server.ts";
import { all, callOf, errorOf } from "./fixtures/flight-client.ts";
import type { FlightClient } from "./fixtures/flight-client.ts";

const test = suite("options of a call");

/** What a call that is refused says. */
async function refusal(client: FlightClient, request: Partial<StageCall>) {
  const call = client.exchange();
  const answers = all(call);
  call.write(callOf(request));
  call.end();
  return errorOf(answers);
}

test("options beyond the limit are INVALID_ARGUMENT before anything is started", () =>
  withServer({ command: ["/no/such/program"] }, async ({ client }) => {
    for (const options of [
      { refuse: { text: "x".repeat(1e6) } },
      { refuse: { list: { items: Array.from({ length: 20_000 }, () => "word") } } },
      { ["x".repeat(1e6)]: { flag: true } },
    ]) {
      const error = await refusal(client, { stage: "pass", options });
      assert.is(error.code, status.INVALID_ARGUMENT, error.details.slice(0, 200));
      assert.match(error.details, /^the options of the call take \d+ bytes, of at most 65536; give shorter ones$/);
    }
  }));

test("options within the limit reach the stage, and stand on no command line", () =>
  withServer({}, async ({ client }) => {
    const refuse = "y".repeat(optionsLimit - 100);
    const call = client.exchange();
    const answers = all(call);
    await send(call, callOf({ stage: "pass", options: { refuse: { text: refuse } } }));
    await untilChildren(1);
    const [line = ""] = await childrenNow();
    assert.match(line, / pass --arguments-from-parent$/);
    for await (const { header, body } of segmentMessages(1)) await send(call, { dataHeader: header, dataBody: body });
    call.end();
    assert.ok((await answers).length > 1);
  }));

test("more inputs than a command line holds reach the stage", async () => {
  // Each is a path, and Linux takes 2 MiB of arguments: long paths keep their number small.
  const parent = await mkdtemp(join(tmpdir(), "host-grpc-"));
  const store = join(parent, ...Array.from({ length: 4 }, () => "s".repeat(200)));
  await withServer({ store }, async ({ client }) => {
    const put = client.put();
    const stored = all<{ appMetadata: Uint8Array }>(put);
    for await (const { header, body } of segmentMessages(1)) await send(put, { dataHeader: header, dataBody: body });
    put.end();
    const address = Buffer.from((await stored)[0]?.appMetadata ?? []).toString();
    const items = Array.from({ length: 2500 }, () => address);
    const call = client.exchange();
    const answers = all(call);
    await send(call, callOf({ stage: "pass", inputs: { more: { items } } }));
    for await (const { header, body } of segmentMessages(1)) await send(call, { dataHeader: header, dataBody: body });
    call.end();
    assert.ok((await answers).length > 1);
  });
  await rm(parent, { recursive: true });
});

test("no message repeats more than 80 characters of what a client sent", () =>
  withServer({}, async ({ client }) => {
    const long = "z".repeat(50_000);
    const spaced = "z ".repeat(25_000);
    const requests: Partial<StageCall>[] = [long, spaced].flatMap((text): Partial<StageCall>[] => [
      { stage: text },
      { stage: "pass", output: text },
      { stage: "pass", inputs: { [text]: { items: [] } } },
      { stage: "pass", inputs: { more: { items: [text] } } },
      { stage: "pass", options: { [text]: { flag: true } } },
      { stage: "pass", options: { [text]: {} } },
      { stage: "pass", options: { model: { text } } },
      { stage: "pass", options: { block: { text } } },
      { stage: "make", options: { style: { text } } },
    ]);
    for (const request of requests) {
      const { code, details } = await refusal(client, request);
      assert.is(code, status.INVALID_ARGUMENT, details.slice(0, 200));
      assert.ok((details.match(/z/g) ?? []).length <= 80, details);
    }
    for (const ticket of [long, spaced]) {
      const { details } = await errorOf(all(client.get(ticket)));
      assert.ok((details.match(/z/g) ?? []).length <= 80, details);
    }
  }));

test.run();
