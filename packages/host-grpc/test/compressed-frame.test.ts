import { connect } from "node:http2";
import type { ClientHttp2Session } from "node:http2";
import { gzipSync } from "node:zlib";
import { status } from "@grpc/grpc-js";
import { messageLimit } from "@mbs/host-grpc";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { startServer } from "./fixtures/fake-server.ts";
import type { FakeServer } from "./fixtures/fake-server.ts";

const test = suite<FakeServer & { session: ClientHttp2Session }>("compressed frame");

test.before(async (context) => {
  Object.assign(context, await startServer());
  context.session = connect(`http://127.0.0.1:${context.server.port}`);
});
test.after(({ session, stop }) => {
  session.destroy();
  return stop();
});

/** A message of gRPC that says it is compressed. */
function frame(body: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head[0] = 1;
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}

/** Sends one frame past every client library; resolves to the status and its message. */
function send(session: ClientHttp2Session, method: string, body: Uint8Array): Promise<{ code: number; message: string }> {
  return new Promise((resolve, reject) => {
    const call = session.request({
      ":method": "POST",
      ":path": `/arrow.flight.protocol.FlightService/${method}`,
      "content-type": "application/grpc",
      "grpc-encoding": "gzip",
      te: "trailers",
    });
    const take = (headers: Readonly<Record<string, string | readonly string[] | number | undefined>>): void => {
      if (headers["grpc-status"] === undefined) return;
      const message = decodeURIComponent(String(headers["grpc-message"] ?? ""));
      resolve({ code: Number(headers["grpc-status"]), message });
    };
    call.on("response", take).on("trailers", take).on("error", reject);
    call.on("close", () => reject(new Error("the call ended without a status")));
    call.resume();
    call.end(frame(body));
  });
}

const methods = ["GetFlightInfo", "DoGet", "DoPut", "DoExchange"];

for (const method of methods) {
  test(`faults 39: a corrupt compressed frame fails its own ${method} only`, async ({ session, client }) => {
    const whole = gzipSync(Buffer.alloc(1000, "x"));
    for (const body of [
      Buffer.from("no gzip at all"),
      whole.subarray(0, 20),
      Buffer.concat([whole.subarray(0, 12), Buffer.alloc(20, 0xff)]),
    ]) {
      const { code, message } = await send(session, method, body);
      assert.ok([status.INTERNAL, status.INVALID_ARGUMENT].map(Number).includes(code), `status ${code}: ${message}`);
      assert.not.match(message, /node_modules|\.[jt]s\b|\bat /);
      assert.equal(await client.list(), [], "the server is up");
    }
  });
}

test("a compression bomb is refused at the limit of a message", async ({ session, client }) => {
  const bomb = gzipSync(Buffer.alloc(16 * messageLimit));
  const { code, message } = await send(session, "GetFlightInfo", bomb);
  assert.is(code, status.RESOURCE_EXHAUSTED, message);
  assert.equal(await client.list(), [], "the server is up");
});

test.run();
