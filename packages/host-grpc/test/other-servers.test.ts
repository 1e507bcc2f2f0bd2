import { createServer } from "node:http2";
import type { ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { errorOf } from "./fixtures/flight-client.ts";
import { makeVia } from "./fixtures/remote-make.ts";

/** Answers as gRPC with a status, and with bytes before it. */
const ending = (status: string, bytes?: Buffer) => (stream: ServerHttp2Stream) => {
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": status, "grpc-message": "other" }));
  stream.end(bytes);
};

/** Tag and message of `--via` to a server that answers each call in some way; without the address. */
async function failureOf(answer: (stream: ServerHttp2Stream) => void): Promise<string> {
  const server = createServer();
  server.on("stream", (stream) => {
    stream.on("error", () => undefined);
    answer(stream);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const via = `grpc://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { tag, message } = (await errorOf(makeVia({ via }))) as unknown as { tag: string; message: string };
  server.close();
  return `${tag}: ${message.replace(via, "VIA")}`;
}

const foreign = "this is no server of mbs, or one of another version; check --via";

test("a server of HTTP/2, or of other calls, is said to be no server of mbs", async () => {
  const cases: readonly (readonly [(stream: ServerHttp2Stream) => void, string])[] = [
    [(stream) => stream.respond({ ":status": 404 }, { endStream: true }), "Received HTTP status code 404"],
    [(stream) => stream.respond({ ":status": 500 }, { endStream: true }), "Received HTTP status code 500"],
    [ending("12"), "other"],
    [ending("2"), "other"],
    // a message of one field whose bytes do not come
    [ending("0", Buffer.from([0, 0, 0, 0, 2, 0x0a, 0x09])), "Response message parsing error"],
  ];
  for (const [answer, what] of cases) {
    const failure = await failureOf(answer);
    assert.ok(failure.startsWith(`failed-precondition: VIA: ${what}`) && failure.endsWith(`: ${foreign}`), failure);
  }
});

test("what is no artifact is said to come from the server", async () => {
  const whatCame = /^bad-data: VIA: what came is no whole artifact \(.+\); call again, or check --via$/;
  assert.match(await failureOf(ending("0")), whatCame);
  // Flight data with a header that is no message of Arrow, and with metadata that are no result
  for (const body of [
    [0x12, 1, 7],
    [0x1a, 2, 0x0a, 9],
  ]) {
    assert.match(await failureOf(ending("0", Buffer.from([0, 0, 0, 0, body.length, ...body]))), whatCame);
  }
});

test.run();
