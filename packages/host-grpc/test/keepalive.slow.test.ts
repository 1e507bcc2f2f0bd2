import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { testContext } from "@mbs/contracts/testing";
import { runRemote } from "@mbs/host-grpc";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { make } from "../../host-cli/test/fixtures/stages.ts";
import { send } from "../src/protocol/messages-in-order.ts";
import { untilChildren } from "./fixtures/child-processes.ts";
import { callMake, inTime, withServer } from "./fixtures/fake-server.ts";
import { startProxy } from "./fixtures/frozen-proxy.ts";
import { FlightClient, all, callOf, errorOf } from "./fixtures/flight-client.ts";

const test = suite("keepalive");

/** An answer takes microseconds where the other end runs; the rest is for a loaded machine. */
const keepalive = { timeMs: 500, timeoutMs: 4000 };

/** Without any limit on silence: the ping alone must find out. */
const options = { keepalive, idleMs: 3_600_000 };

/** A stage that computes for an hour, as its server sees it. */
const longCall = callOf({ stage: "make", options: { pause: { number: 3_600_000 } } });

test("a client whose machine is gone frees its slot", () =>
  withServer(options, async ({ server, client }) => {
    const proxy = await startProxy(server.port);
    const far = new FlightClient(proxy.port);
    const call = far.exchange();
    call.on("error", () => undefined);
    await send(call, longCall);
    await untilChildren(1);
    proxy.freeze();
    // Waits for the only slot.
    assert.ok((await callMake(client)).length > 1);
    call.cancel();
    far.close();
    await proxy.close();
  }));

test("a client whose process is stopped frees its slot", () =>
  withServer(options, async ({ server, client }) => {
    const script = fileURLToPath(new URL("fixtures/silent-client.ts", import.meta.url));
    const stopped = spawn(process.execPath, ["--conditions=mbs-source", "--import", "tsx", script, String(server.port)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const ended = once(stopped, "exit");
    await once(stopped.stdout, "data");
    await untilChildren(1);
    try {
      stopped.kill("SIGSTOP");
      assert.ok((await inTime(callMake(client))).length > 1);
    } finally {
      stopped.kill("SIGKILL");
      await ended;
    }
  }));

test("a silent client that is there keeps its call, however long the stage computes", () =>
  withServer({ keepalive: { timeMs: 100, timeoutMs: 4000 }, idleMs: 3_600_000 }, async ({ client }) => {
    const call = client.exchange();
    const answers = all(call);
    await send(call, callOf({ stage: "make", options: { segments: { number: 2 }, pause: { number: 3000 } } }));
    call.end();
    assert.ok((await answers).length > 1);
  }));

test("a server that is gone is noticed by --via, which may try again", () =>
  withServer(options, async ({ server }) => {
    const proxy = await startProxy(server.port);
    const context = testContext();
    const via = `grpc://127.0.0.1:${proxy.port}`;
    const failure = errorOf(
      (async () => {
        const given = { segments: 4, pause: 3_600_000 };
        const outputs = await runRemote({
          via,
          stage: make,
          inputs: {},
          options: given,
          context,
          nameResource: async (_kind, path) => path,
          keepalive,
        });
        for (const { batches } of Object.values(outputs)) for await (const _ of batches);
      })(),
    );
    await untilChildren(1);
    proxy.freeze();
    const error = (await failure) as unknown as { tag: string; message: string };
    assert.is(error.tag, "try-again", error.message);
    assert.match(error.message, /; is the server running there\?$/);
    await proxy.close();
  }));

test.run();
