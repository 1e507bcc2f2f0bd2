import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { send } from "../src/protocol/messages-in-order.ts";
import { callMake, inTime, startServer } from "./fixtures/fake-server.ts";
import { callOf } from "./fixtures/flight-client.ts";

const test = suite("resources found by address");

test("reading models for an address takes a slot, and stops when its call is cancelled", async () => {
  /** Models that were begun, and how to end the reading of each. */
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  let models = "";
  const fake = await startServer((folder) => {
    models = join(folder, "models");
    return {
      roots: { model: folder },
      addressOf: async (_kind, path) => {
        begun.push(path);
        await new Promise<void>((resolve) => ends.push(resolve));
        return undefined;
      },
    };
  });
  await mkdir(models);
  await mkdir(join(fake.folder, "others"));
  const { client, stop } = fake;
  const call = async () => {
    const exchange = client.exchange();
    exchange.on("error", () => undefined).resume();
    await send(exchange, callOf({ stage: "pass", options: { model: { text: "7".repeat(64) } } }));
    return exchange;
  };
  try {
    await inTime(
      (async () => {
        const first = await call();
        while (begun.length < 1) await delay(10);
        const second = await call();
        await delay(300);
        assert.equal(begun, [models], "the second call waits for the slot");
        second.cancel();
        first.cancel();
        const other = callMake(client);
        await delay(300);
        assert.equal(begun, [models]);
        ends[0]?.();
        assert.ok((await other).length > 1);
        assert.equal(begun, [models], "no further model is read for a call that was cancelled");
      })(),
    );
  } finally {
    for (const end of ends) end();
    await stop();
  }
});

test.run();
