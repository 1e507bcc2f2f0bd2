import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { DeniedError, InputOutputError } from "@mbs/contracts";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { listenError } from "../src/server/bind-server.ts";
import { startServer } from "./fixtures/fake-server.ts";
import { errorOf } from "./fixtures/flight-client.ts";

const test = suite("bind of a server");

test("a port that is taken and an address of another machine are told apart, and nothing stays of the server", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => other.once("listening", resolve));
  const taken = `127.0.0.1:${(other.address() as AddressInfo).port}`;
  const listeners = process.listenerCount("exit");
  for (const [listen, message] of [
    [taken, `cannot listen at ${taken}: the port is taken; end the program that has it, or give another --listen`],
    [
      "192.0.2.1:0",
      "cannot listen at 192.0.2.1:0: this machine has no such address; give --listen one of its own, or 0.0.0.0 for all of them",
    ],
  ] as const) {
    const error = await errorOf(startServer(() => ({ listen, insecure: true })));
    assert.instance(error, InputOutputError);
    assert.is(error.message, message);
    assert.is(process.listenerCount("exit"), listeners);
  }
  other.close();
});

test("a port of others and a host that is not known have their own remedies; any other error is quoted", () => {
  // as grpc-js words them
  const none = "No address added out of total 1 resolved errors:";
  const denied = listenError("h:80", "--listen", new Error(`${none} [listen EACCES: permission denied 127.0.0.1:80]`));
  assert.instance(denied, DeniedError);
  assert.is(denied.message, "cannot listen at h:80: this user may not take the port; give --listen one from 1024 on");
  assert.is(
    listenError("nosuch.invalid:80", "--listen", new Error("Name resolution failed for target dns:nosuch.invalid:80")).message,
    "cannot listen at nosuch.invalid:80: the host is not known; check its name, or give its address",
  );
  assert.is(
    listenError("h:80", "--listen", new Error(`${none} [listen EFAULT: bad address]`)).message,
    `cannot listen at h:80 (${none} [listen EFAULT: bad address]); give another --listen`,
  );
});

test.run();
