import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Writable } from "node:stream";
import { status } from "@grpc/grpc-js";
import type { CallEnding, Observer, StageEnding } from "@mbs/contracts";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { until } from "../../../tools/test/until.ts";
import { flightService } from "../src/protocol/flight-service.ts";
import { send } from "../src/protocol/messages-in-order.ts";
import { untilChildren } from "./fixtures/child-processes.ts";
import { callMake, withServer } from "./fixtures/fake-server.ts";
import { FlightClient, all, callOf, errorOf } from "./fixtures/flight-client.ts";

const test = suite("observed calls");

interface Seen {
  readonly method: string;
  readonly peer: string;
  ending?: CallEnding;
  readonly stages: { readonly stage: string; readonly waited: number; ending?: StageEnding }[];
}

function watching(): { readonly observer: Observer; readonly seen: Seen[] } {
  const seen: Seen[] = [];
  const observer: Observer = {
    stage: () => {
      throw new Error("a stage without a call");
    },
    call: ({ method, peer }) => {
      const call: Seen = { method, peer, stages: [] };
      seen.push(call);
      return {
        stage: ({ stage, waited = NaN }) => {
          const own: Seen["stages"][number] = { stage, waited };
          call.stages.push(own);
          return (ending) => {
            assert.is(own.ending, undefined);
            own.ending = ending;
          };
        },
        end: (ending) => {
          assert.is(call.ending, undefined);
          call.ending = ending;
        },
      };
    },
  };
  return { observer, seen };
}

/** Until all calls so far have ended. */
const ended = (seen: readonly Seen[], count: number): Promise<void> =>
  until(() => seen.length === count && seen.every(({ ending }) => ending !== undefined), `${count} calls have ended`);

test("a call is reported with its method, its machine, its stage, its status and its bytes", async () => {
  const { observer, seen } = watching();
  await withServer({ observer }, async ({ client }) => {
    await callMake(client);
    await client.list();
    await errorOf(client.info("x"));
    await ended(seen, 3);
  });
  const [made, listed, info] = seen;
  assert.is(made?.method, "DoExchange");
  assert.is(made?.peer, "127.0.0.1");
  assert.is(made?.ending?.status, "OK");
  assert.ok((made?.ending?.sent ?? 0) > 100);
  assert.is(made?.stages[0]?.stage, "make");
  assert.ok((made?.stages[0]?.waited ?? -1) >= 0);
  assert.equal(made?.stages[0]?.ending, { outcome: "finished" });
  assert.equal([listed?.method, listed?.ending?.status], ["ListFlights", "OK"]);
  assert.equal([info?.method, info?.ending?.status], ["GetFlightInfo", "INVALID_ARGUMENT"]);
});

/** A request of one field whose bytes do not come. */
const unreadable = (): Buffer => Buffer.from([0x0a, 9]);

test("a request that is no message of its call is INVALID_ARGUMENT, for the client and in the report", async () => {
  const { observer, seen } = watching();
  await withServer({ observer }, async ({ client }) => {
    const { getFlightInfo, doGet, doPut } = flightService;
    const calls = [
      client.client.makeServerStreamRequest(doGet.path, unreadable, doGet.responseDeserialize, {}, client.metadata),
      client.client.makeBidiStreamRequest(doPut.path, unreadable, doPut.responseDeserialize, client.metadata),
    ];
    const ends = calls.map((call) => errorOf(all(call)));
    await send(calls[1] as Writable, {});
    const unary = new Promise((_, reject) => {
      const { path, responseDeserialize } = getFlightInfo;
      client.client.makeUnaryRequest(path, unreadable, responseDeserialize, {}, client.metadata, (error) => reject(error));
    });
    for (const { code, details } of await Promise.all([...ends, errorOf(unary)])) {
      assert.is(code, status.INVALID_ARGUMENT, details);
      assert.match(details, /^a message of (DoGet|DoPut|GetFlightInfo) cannot be decoded; send what protos\/ says$/);
    }
    await ended(seen, 3);
    assert.ok((await callMake(client)).length > 1);
  });
  assert.equal(
    seen.slice(0, 3).map(({ ending }) => ending?.status),
    ["INVALID_ARGUMENT", "INVALID_ARGUMENT", "INVALID_ARGUMENT"],
  );
});

test("a stage that fails, one that its client stops, and one that waited are told apart", async () => {
  const { observer, seen } = watching();
  await withServer({ observer }, async ({ client, server }) => {
    const long = client.exchange();
    long.on("error", () => undefined);
    await send(long, callOf({ stage: "make", options: { pause: { number: 3_600_000 } } }));
    await untilChildren(1);
    const waiting = callMake(client);
    await until(() => server.waitingCalls === 1, "a call waits");
    long.cancel();
    await waiting;
    const crashed = client.exchange();
    const end = errorOf(all(crashed));
    await send(crashed, callOf({ stage: "pass" }));
    crashed.end();
    await end;
    await ended(seen, 3);
  });
  const [stopped, waited, failed] = seen;
  assert.is(stopped?.ending?.status, "CANCELLED");
  assert.equal(stopped?.stages[0]?.ending, { outcome: "stopped" });
  assert.ok((waited?.stages[0]?.waited ?? 0) > 0);
  assert.is(failed?.ending?.status, "INVALID_ARGUMENT");
  assert.equal(failed?.stages[0]?.ending, { outcome: "failed", tag: "bad-data" });
});

test("a refused call is reported with the reason and who called; a known client by the name of its token", async () => {
  const folder = await mkdtemp(join(tmpdir(), "host-grpc-observed-"));
  const tokens = join(folder, "tokens");
  const token = "t".repeat(32);
  await writeFile(tokens, `me read ${token}\n`, { mode: 0o600 });
  const { observer, seen } = watching();
  await withServer({ observer, tokens, callsPerClient: 1 }, async ({ client, server }) => {
    const mine = new FlightClient(server.port, token);
    await errorOf(client.list());
    await errorOf(callMake(mine));
    const held = mine.get("0".repeat(64));
    await errorOf(all(held));
    await mine.list();
    await ended(seen, 4);
    mine.close();
  });
  assert.equal(
    seen.map(({ method, peer, ending }) => [method, peer, ending?.status]),
    [
      ["ListFlights", "127.0.0.1", "UNAUTHENTICATED"],
      ["DoExchange", "127.0.0.1", "PERMISSION_DENIED"],
      ["DoGet", "me", "INVALID_ARGUMENT"],
      ["ListFlights", "me", "OK"],
    ],
  );
  assert.not.match(JSON.stringify(seen), new RegExp(token));
  await rm(folder, { recursive: true });
});

test.run();
