import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { credentials, status } from "@grpc/grpc-js";
import { noObserver } from "@mbs/contracts";
import type { CallEnding, Observer } from "@mbs/contracts";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { until } from "../../../tools/test/until.ts";
import { send } from "../src/protocol/messages-in-order.ts";
import { callLimit } from "../src/server/serve.ts";
import { ChildSlots } from "../src/server/child-slots.ts";
import { makeAuthority, makeCertificate, writePair } from "../../../tools/test/certificates.ts";
import { childrenGone, untilChildren } from "./fixtures/child-processes.ts";
import { callMake, segmentMessages, withServer } from "./fixtures/fake-server.ts";
import { FlightClient, all, callOf, errorOf } from "./fixtures/flight-client.ts";

interface Context {
  folder: string;
  /** File of the tokens of two clients. */
  tokens: string;
}

const test = suite<Context>("limits of a client");

const tokenOf = (name: string): string => name.padEnd(32, "-");

test.before(async (context) => {
  context.folder = await mkdtemp(join(tmpdir(), "host-grpc-limits-"));
  context.tokens = join(context.folder, "tokens");
  const lines = ["one", "two"].map((name) => `${name} run,read,write ${tokenOf(name)}\n`);
  await writeFile(context.tokens, lines.join(""), { mode: 0o600 });
});
test.after(({ folder }) => rm(folder, { recursive: true }));

/** A stage that computes until its call is cancelled. */
async function longCall(client: FlightClient) {
  const call = client.exchange();
  call.on("error", () => undefined);
  await send(call, callOf({ stage: "make", options: { pause: { number: 3_600_000 } } }));
  return call;
}

test("a client with as many open calls as it may have is refused, another is not, and an ended call gives its place back", (context) =>
  withServer({ tokens: context.tokens, callsPerClient: 2, children: 3 }, async ({ server }) => {
    const [one, two] = ["one", "two"].map((name) => new FlightClient(server.port, tokenOf(name)));
    if (!one || !two) throw new Error("no clients");
    const open = [await longCall(one), await longCall(one)];
    await untilChildren(2);
    const refused = await errorOf(one.list());
    assert.is(refused.code, status.UNAVAILABLE);
    assert.is(refused.details, "2 calls of yours are open, as many as this server takes of one client; call again later");
    assert.ok((await callMake(two)).length > 1);
    for (const call of open) call.cancel();
    await childrenGone();
    assert.ok((await callMake(one)).length > 1);
    one.close();
    two.close();
  }));

test("without a limit of calls one client may have half of all, so that another has places", (context) =>
  withServer({ tokens: context.tokens }, async ({ server }) => {
    const [one, two] = ["one", "two"].map((name) => new FlightClient(server.port, tokenOf(name)));
    if (!one || !two) throw new Error("no clients");
    const open = Array.from({ length: callLimit / 2 }, () => one.exchange().on("error", () => undefined));
    assert.match((await errorOf(one.list())).details, /^50 calls of yours are open/);
    assert.equal(await two.list(), []);
    for (const call of open) call.cancel();
    one.close();
    two.close();
  }));

test("calls that send nothing give their places back", () =>
  withServer({ idleMs: 500, callsPerClient: 2 }, async ({ client }) => {
    const silent = [client.exchange(), client.put()];
    const ends = silent.map((call) => errorOf(all(call)));
    for (const { code, details } of await Promise.all(ends)) assert.is(code, status.DEADLINE_EXCEEDED, details);
    const places = [client.list(), client.list()];
    assert.equal(await Promise.all(places), [[], []]);
  }));

test("clients without tokens are told apart by their machine", () =>
  withServer({ callsPerClient: 1 }, async ({ server, client }) => {
    const call = await longCall(client);
    await untilChildren(1);
    const other = new FlightClient(server.port);
    assert.is((await errorOf(other.list())).code, status.UNAVAILABLE);
    call.cancel();
    await childrenGone();
    other.close();
  }));

test("clients with certificates are told apart by these", async ({ folder }) => {
  const authority = await makeAuthority("test");
  const clientCa = join(folder, "ca.pem");
  await writeFile(clientCa, authority.cert);
  const tls = { ...(await writePair(folder, "server", await makeCertificate(authority))), clientCa };
  const channelOf = async (name: string) => {
    const { cert, private: key } = await makeCertificate(authority, { name });
    return credentials.createSsl(Buffer.from(authority.cert), Buffer.from(key), Buffer.from(cert));
  };
  await withServer({ tls, callsPerClient: 1, children: 2 }, async ({ server }) => {
    const one = new FlightClient(server.port, undefined, await channelOf("one"));
    const two = new FlightClient(server.port, undefined, await channelOf("two"));
    const call = await longCall(one);
    await untilChildren(1);
    assert.is((await errorOf(one.list())).code, status.UNAVAILABLE);
    assert.equal(await two.list(), []);
    call.cancel();
    await childrenGone();
    one.close();
    two.close();
  });
});

test("calls beyond a client's threads wait while another client goes on", (context) =>
  withServer({ tokens: context.tokens, threadsPerClient: 1, children: 4 }, async ({ server }) => {
    const [one, two] = ["one", "two"].map((name) => new FlightClient(server.port, tokenOf(name)));
    if (!one || !two) throw new Error("no clients");
    const first = await longCall(one);
    await untilChildren(1);
    let isDone = false;
    const second = callMake(one).finally(() => (isDone = true));
    assert.ok((await callMake(two)).length > 1);
    assert.not(isDone);
    first.cancel();
    assert.ok((await second).length > 1);
    one.close();
    two.close();
  }));

test("a call that sends more bytes than it may is RESOURCE_EXHAUSTED, nothing is stored, and its slot is free", () =>
  withServer({ callBytes: 100_000 }, async ({ client, folder }) => {
    const put = client.put();
    const exchange = client.exchange();
    const ends = [put, exchange].map((call) => errorOf(all(call)));
    await send(exchange, callOf({ stage: "pass" }));
    for (const call of [put, exchange]) {
      for await (const { header, body } of segmentMessages(100, 1000)) {
        await send(call, { dataHeader: header, dataBody: body }).catch(() => undefined);
      }
    }
    for (const { code, details } of await Promise.all(ends)) {
      assert.is(code, status.RESOURCE_EXHAUSTED, details);
      assert.is(
        details,
        "the call has sent more than 100 kB, the most that this server takes; send less, or raise --call-bytes there",
      );
    }
    assert.equal(await readdir(join(folder, "store")), []);
    assert.ok((await callMake(client)).length > 1);
  }));

test("messages that only carry metadata or descriptors count for the bytes of a call, in its report too", async () => {
  const endings: CallEnding[] = [];
  const observer: Observer = {
    ...noObserver,
    call: () => ({ ...noObserver.call({ method: "", peer: "" }), end: (ending) => endings.push(ending) }),
  };
  await withServer({ callBytes: 100_000, observer }, async ({ client }) => {
    const bytes = Buffer.alloc(60_000);
    for (const message of [
      { appMetadata: bytes },
      { flightDescriptor: { type: 2, cmd: bytes, path: [] } },
      { flightDescriptor: { type: 1, cmd: Buffer.alloc(0), path: ["é".repeat(30_000)] } },
    ]) {
      const call = client.put();
      const end = errorOf(all(call));
      for (const _ of [1, 2]) await send(call, message).catch(() => undefined);
      call.end();
      const { code, details } = await end;
      assert.is(code, status.RESOURCE_EXHAUSTED, details);
    }
    await until(() => endings.length === 3, "all calls have ended");
  });
  assert.equal(
    endings.map(({ received }) => received),
    [120_000, 120_000, 120_000],
  );
});

test("slots: in order of arrival, and past those whose client has no threads left", async () => {
  const slots = new ChildSlots(2, 3);
  const { signal } = new AbortController();
  const done: string[] = [];
  const ends = new Map<string, () => void>();
  const start = (name: string, client: string, threads: number, stop = signal): Promise<void> =>
    slots.run({ client, threads }, stop, async () => {
      done.push(name);
      await new Promise<void>((resolve) => ends.set(name, resolve));
    });
  const end = async (name: string): Promise<void> => {
    ends.get(name)?.();
    await new Promise((resolve) => setImmediate(resolve));
  };
  const running = [start("a1", "a", 2), start("a2", "a", 2), start("b1", "b", 3), start("c1", "c", 1)];
  await end("");
  // a2 has to wait for a1; c1 for a slot
  assert.equal(done, ["a1", "b1"]);
  await end("b1");
  assert.equal(done, ["a1", "b1", "c1"]);
  const gone = new AbortController();
  const left = errorOf(start("d1", "d", 1, gone.signal));
  gone.abort();
  await left;
  await end("a1");
  assert.equal(done, ["a1", "b1", "c1", "a2"]);
  await end("a2");
  await end("c1");
  await Promise.all(running);
  assert.is(slots.waiting, 0);
});

test.run();
