import { mkdir, mkdtemp, realpath, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { send } from "../src/protocol/messages-in-order.ts";
import { resolveResource } from "../src/server/served-resources.ts";
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

test("a link under a root stands for what it leads to, by name and by address", async () => {
  const folder = await mkdtemp(join(tmpdir(), "host-grpc-links-"));
  try {
    const [model, root] = [join(folder, "model"), join(folder, "root")];
    for (const path of [model, root]) await mkdir(path);
    const link = join(root, "linked");
    await symlink(model, link, "junction");
    const address = "7".repeat(64);
    const addressOf = async (_kind: string, path: string) =>
      (await realpath(path)) === (await realpath(model)) ? address : undefined;
    for (const name of ["linked", address]) {
      const found = await resolveResource(
        { roots: { model: root }, builtIn: {}, addressOf },
        "model",
        name,
        new AbortController().signal,
      );
      assert.is(found, link);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});

test.run();
