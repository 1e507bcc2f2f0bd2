import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { inTime, withServer } from "./fixtures/fake-server.ts";
import { errorOf } from "./fixtures/flight-client.ts";
import { makeVia } from "./fixtures/remote-make.ts";

test("a server that takes a connection and says nothing is waited for no longer than the limit, with TLS and without", async () => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => void sockets.push(socket.on("error", () => undefined)));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  for (const scheme of ["grpc", "grpcs"]) {
    const via = `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const error = (await inTime(errorOf(makeVia({ via }, { connectMs: 300 })))) as unknown as { tag: string; message: string };
    assert.is(error.tag, "try-again");
    assert.is(error.message, `${via}: no answer within 0.3 s; check --via, or try again when the server there answers`);
  }
  // a call that is stopped does not wait for the limit
  const stop = new AbortController();
  const via = `grpc://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const stopped = errorOf(makeVia({ via }, { connectMs: 3_600_000, signal: stop.signal }));
  await delay(50);
  stop.abort();
  assert.is(((await inTime(stopped)) as unknown as { tag: string }).tag, "interrupted");
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

test("a stage that computes for longer than the limit is waited for", () =>
  withServer({}, async ({ server }) => {
    assert.ok((await makeVia({ via: `grpc://127.0.0.1:${server.port}` }, { connectMs: 500, pause: 1000 })) > 0);
  }));

test.run();
