import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { InterruptedError } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { endFetchesAt, patientFetch } from "../src/patient-fetch.ts";

test("a signal of the program ends a request to a Hub that says nothing, and the wait for the next one", async () => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    if (sockets.length === 2) socket.end("HTTP/1.1 429 Later\r\nretry-after: 3600\r\ncontent-length: 0\r\n\r\n");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  for (const _ of ["silent", "later"]) {
    const controller = new AbortController();
    endFetchesAt(controller.signal);
    const failure = patientFetch(url).catch((error: unknown) => error);
    await once(server, "connection");
    setTimeout(() => controller.abort(new InterruptedError("stopped")), 200);
    const error = await failure;
    assert.ok(error instanceof InterruptedError || (error instanceof Error && error.name === "AbortError"), String(error));
  }
  endFetchesAt(new AbortController().signal);
  for (const socket of sockets) socket.destroy();
  server.close();
});

test.run();
