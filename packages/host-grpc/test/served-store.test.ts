import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { encodeSegments } from "@mbs/artifacts";
import type { Segment } from "@mbs/artifacts";
import { DeniedError, formatBytes } from "@mbs/contracts";
import type { ArtifactStream, Batch } from "@mbs/contracts";
import { openSharedStore } from "@mbs/shared-store";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { until } from "../../../tools/test/until.ts";
import { send } from "../src/protocol/messages-in-order.ts";
import { ServedStore } from "../src/server/served-store.ts";
import type { StoreLimits } from "../src/server/served-store.ts";
import { childrenGone, childrenNow, untilChildren } from "./fixtures/child-processes.ts";
import { segmentMessages, withServer } from "./fixtures/fake-server.ts";
import { all, callOf, errorOf } from "./fixtures/flight-client.ts";
import type { FlightClient } from "./fixtures/flight-client.ts";

const test = suite<{ folder: string }>("served store");

test.before.each(async (context) => {
  context.folder = await mkdtemp(join(tmpdir(), "host-grpc-store-"));
});
test.after.each(({ folder }) => rm(folder, { recursive: true }));

const { signal } = new AbortController();

/** An artifact of its own for each seed. */
function made(seed: number): ArtifactStream {
  async function* items(): AsyncGenerator<Segment> {
    yield { segment: 0, language: "en", documents: 1, tokens: new Int32Array(1000).fill(seed) };
  }
  const addresses = { tokenizer: "a".repeat(64), corpus: "b".repeat(64), distribution: "" };
  return encodeSegments(items(), { ...addresses, length: 1000, seed, mix: "equal", counts: {}, shortfall: {} });
}

/** @param said gets the lines of its log; without it there must be none */
const open = (folder: string, limits: StoreLimits, said?: string[]): Promise<ServedStore> =>
  ServedStore.open(folder, limits, (line) => (said === undefined ? assert.unreachable(line) : void said.push(line)));

/** Bytes of the file of an artifact of `made`. */
async function bytesOfOne(folder: string): Promise<number> {
  const store = await open(folder, {});
  const { address } = await store.put(made(0), signal);
  const { size } = await stat(store.artifacts.path(address));
  await store.remove(address);
  return size;
}

/** Makes an artifact look as if it was used an hour ago. */
async function age(store: ServedStore, address: string): Promise<void> {
  const then = new Date(Date.now() - 3_600_000);
  await utimes(store.artifacts.path(address), then, then);
}

const files = async (folder: string): Promise<string[]> => (await readdir(folder)).filter((name) => name !== "runs");

test("what goes beyond the limit is refused with what is used, the limit and the remedy, and nothing is left of it", async ({
  folder,
}) => {
  const one = await bytesOfOne(folder);
  const store = await open(folder, { bytes: 2 * one });
  const kept = [(await store.put(made(1), signal)).address, (await store.put(made(2), signal)).address];
  assert.is(store.bytes, 2 * one);
  assert.throws(() => store.requireSpace());
  const { message } = await errorOf(store.put(made(3), signal));
  assert.match(
    message,
    /^the store has \d[\d.]* kB of at most \d[\d.]* kB, which leaves too little for this; delete artifacts .*\(their files in its --store, or action delete-artifact\), or raise --store-limit there$/,
  );
  assert.equal(await files(folder), kept.map((address) => `${address}.arrow`).toSorted());
  assert.is(store.bytes, 2 * one);
  await store.remove(kept[0] ?? "");
  await store.put(made(3), signal);
  assert.is(store.bytes, 2 * one);
});

test("puts at the same time have no more bytes together than the limit, and as many as fit go through", async ({ folder }) => {
  const one = await bytesOfOne(folder);
  const store = await open(folder, { bytes: 2.5 * one });
  const ends = await Promise.allSettled([1, 2, 3, 4].map((seed) => store.put(made(seed), signal)));
  assert.is(ends.filter(({ status: end }) => end === "fulfilled").length, 2);
  assert.is((await files(folder)).length, 2);
  assert.is(store.bytes, 2 * one);
});

test("a put without space beside others that are at work says to try again", async ({ folder }) => {
  const one = await bytesOfOne(folder);
  const store = await open(folder, { bytes: 1.5 * one });
  const { schema, batches } = made(1);
  let go: (() => void) | undefined;
  const going = new Promise<void>((resolve) => (go = resolve));
  async function* slow(): AsyncGenerator<Batch> {
    for await (const batch of batches) {
      yield batch;
      await going;
    }
  }
  const first = store.put({ schema, batches: slow() }, signal);
  await until(() => store.bytes > one / 2, "most of the first is there");
  const { message } = await errorOf(store.put(made(2), signal));
  go?.();
  await first;
  assert.match(
    message,
    /^the store has 0 bytes of at most \d[\d.]* kB and other calls are putting \d[\d.]* kB, which leaves too little for this; try again when they have ended, or raise --store-limit there$/,
  );
});

test("an artifact that is there already counts once", async ({ folder }) => {
  const one = await bytesOfOne(folder);
  const store = await open(folder, { bytes: 2 * one });
  for (let time = 0; time < 3; time++) await store.put(made(1), signal);
  assert.is(store.bytes, one);
});

test("what is there when it opens counts, and what others put or remove does at the next look", async ({ folder }) => {
  const first = await open(folder, {});
  const { address } = await first.put(made(1), signal);
  const store = await open(folder, {});
  const one = store.bytes;
  assert.ok(one > 0);
  await first.put(made(2), signal);
  await first.remove(address);
  await first.put(made(3), signal);
  await store.look();
  assert.is(store.bytes, 2 * one);
});

test("what no call has put or read for long is removed, what was read since is not", async ({ folder }) => {
  const said: string[] = [];
  const store = await open(folder, { expireMs: 60_000 }, said);
  const [old, read, young] = [1, 2, 3].map((seed) => store.put(made(seed), signal));
  const [gone, used, kept] = [(await old)?.address ?? "", (await read)?.address ?? "", (await young)?.address ?? ""];
  for (const address of [gone, used]) await age(store, address);
  await store.using([used], async () => undefined);
  await store.look();
  assert.equal(await files(folder), [`${used}.arrow`, `${kept}.arrow`].toSorted());
  await store.look();
  assert.is(said.length, 1);
  assert.match(said.join(), /^the store: 1 artifact expired, \S+ \S+$/);
});

test("a store that is full when it opens says so, with the remedy", async ({ folder }) => {
  const one = await bytesOfOne(folder);
  await (await open(folder, {})).put(made(1), signal);
  await open(folder, { bytes: one + 1 });
  const said: string[] = [];
  await open(folder, { bytes: one }, said);
  assert.is(said.length, 1);
  assert.match(said.join(), /^the store has \S+ \S+ of at most .* raise --store-limit there; until then nothing can be put$/);
});

test("without an expiry nothing is removed", async ({ folder }) => {
  const store = await open(folder, {});
  const { address } = await store.put(made(1), signal);
  await age(store, address);
  await store.look();
  assert.equal(await files(folder), [`${address}.arrow`]);
});

test("what a call at work reads stays, however old", async ({ folder }) => {
  const store = await open(folder, { expireMs: 60_000 }, []);
  const { address } = await store.put(made(1), signal);
  await store.using([address], async () => {
    await age(store, address);
    await store.look();
    assert.ok(await store.artifacts.has(address));
  });
  await store.look();
  assert.ok(await store.artifacts.has(address), "it counts as used when the call ends");
  await age(store, address);
  await store.look();
  assert.not(await store.artifacts.has(address));
});

test("a call that comes while an artifact is being removed waits, and then finds nothing", async ({ folder }) => {
  const store = await open(folder, { expireMs: 60_000 }, []);
  const { address } = await store.put(made(1), signal);
  await age(store, address);
  const looked = store.look();
  // at any moment of the look: either it is kept for the whole call, or it is gone from its beginning
  for (let done = false; !done;) {
    await store.using([address], async () => {
      const before = await store.artifacts.has(address);
      await new Promise((resolve) => setImmediate(resolve));
      assert.is(await store.artifacts.has(address), before);
    });
    done = await Promise.race([looked.then(() => true), new Promise<boolean>((resolve) => setImmediate(resolve, false))]);
  }
});

test("what the record of a run names stays; where a record is damaged, everything does", async ({ folder }) => {
  const store = await open(folder, { expireMs: 60_000 }, []);
  const [needed, other] = [await store.put(made(1), signal), await store.put(made(2), signal)];
  const shared = await openSharedStore(folder);
  await shared.writeNeeds({ run: "demo-1", addresses: [needed.address] });
  for (const { address } of [needed, other]) await age(store, address);
  const record = join(folder, "runs", "broken.json");
  await writeFile(record, "{");
  assert.match((await errorOf(store.look())).message, /broken/);
  assert.is((await files(folder)).length, 2);
  await rm(record);
  await store.look();
  assert.equal(await files(folder), [`${needed.address}.arrow`]);
});

test("the artifacts of a run never expire", async ({ folder }) => {
  const artifacts = join(folder, "artifacts");
  await mkdir(artifacts);
  await writeFile(join(folder, "manifest.json"), "");
  await open(artifacts, { bytes: 1 });
  const error = await errorOf(open(artifacts, { expireMs: 1 }));
  assert.instance(error, DeniedError);
  assert.match(error.message, /has the artifacts of a run, which must not expire; leave --expire out/);
});

/** Puts segments. @returns their address */
async function put(client: FlightClient, count: number): Promise<string> {
  const call = client.put();
  const answers = all<{ appMetadata: Uint8Array }>(call);
  for await (const { header, body } of segmentMessages(count, 1000)) {
    await send(call, { dataHeader: header, dataBody: body }).catch(() => undefined);
  }
  call.end();
  return Buffer.from((await answers)[0]?.appMetadata ?? []).toString();
}

test("a full server answers RESOURCE_EXHAUSTED to a put", () =>
  withServer({ storeLimits: { bytes: 100_000 } }, async ({ client, server, folder }) => {
    const address = await put(client, 10);
    const before = server.storeBytes;
    assert.ok(before > 40_000 && before < 100_000);
    const refused = await errorOf(put(client, 20));
    assert.is(refused.code, status.RESOURCE_EXHAUSTED);
    assert.ok(refused.details.startsWith(`the store has ${formatBytes(before)} of at most 100 kB, `), refused.details);
    assert.equal(await readdir(join(folder, "store")), [`${address}.arrow`]);
    assert.is(server.storeBytes, before);
    await client.act("delete-artifact", Buffer.from(address));
    assert.is(server.storeBytes, 0);
  }));

test("what is no file is no artifact, also where nobody writes to it", () =>
  withServer({}, async ({ client, folder }) => {
    const address = await put(client, 10);
    // as many as there are threads for files, all of which would wait
    const pipes = ["0", "1", "2", "3"].map((digit) => digit.repeat(64));
    execFileSync(
      "mkfifo",
      pipes.map((name) => join(folder, "store", `${name}.arrow`)),
    );
    const listed = await client.list();
    assert.equal(
      listed.map(({ flightDescriptor }) => flightDescriptor.path),
      [[address]],
    );
    for (const name of pipes) assert.match((await errorOf(client.info(name))).details, /^no artifact 0*1*2*3* in /);
  }));

test("a damaged artifact is left out of the list, and logged once", () =>
  withServer({}, async ({ client, folder, log }) => {
    const address = await put(client, 10);
    const [junk, cut] = ["0".repeat(64), "f".repeat(64)];
    await writeFile(join(folder, "store", `${junk}.arrow`), "junk");
    const whole = await readFile(join(folder, "store", `${address}.arrow`));
    await writeFile(join(folder, "store", `${cut}.arrow`), whole.subarray(0, -100));
    for (let time = 0; time < 2; time++) {
      const listed = await client.list();
      assert.equal(
        listed.map(({ flightDescriptor }) => flightDescriptor.path),
        [[address]],
      );
    }
    assert.is(log.length, 2, log.join("\n"));
    assert.match(log[0] ?? "", new RegExp(`^the store: .*${junk}.arrow: .*; it is left out of lists$`));
    assert.match(log[1] ?? "", cut);
    assert.is((await errorOf(client.info(junk))).code, status.INVALID_ARGUMENT);
  }));

test("a stage with several outputs is refused before it computes where the store is full", () =>
  withServer({ storeLimits: { bytes: 0 } }, async ({ client }) => {
    const call = client.exchange();
    const refused = errorOf(all(call));
    await send(call, callOf({ stage: "split" }));
    const { code, details } = await refused;
    assert.is(code, status.RESOURCE_EXHAUSTED, details);
    assert.equal(await childrenNow(), []);
  }));

test("an input of a running stage does not expire", () =>
  withServer({ storeLimits: { expireMs: 60_000, lookMs: 20 } }, async ({ client, server, folder }) => {
    const [used, other] = [await put(client, 10), await put(client, 11)];
    const call = client.exchange();
    call.on("error", () => undefined);
    // its first input is missing, so it waits for it
    await send(call, callOf({ stage: "pass", inputs: { more: { items: [used] } } }));
    await untilChildren(1);
    for (const address of [used, other]) await utimes(join(folder, "store", `${address}.arrow`), 0, 0);
    const [bytes, left] = [server.storeBytes, async (): Promise<string[]> => readdir(join(folder, "store"))];
    await until(async () => (await left()).length === 1, "what nobody uses has expired");
    assert.equal(await left(), [`${used}.arrow`]);
    await until(() => server.storeBytes < bytes, "its bytes are free");
    call.cancel();
    await childrenGone();
  }));

test.run();
