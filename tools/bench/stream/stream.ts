/**
 * A stream of gigabytes through `mbs serve`: how much its memory grows, and when output begins.
 *
 *   npx tsc -b && node --conditions=mbs-source --import tsx tools/bench/stream/stream.ts --gigabytes 2
 *
 * Fails when memory grows by 200 MB or more, or when output begins only after the input's end.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { encodeFlight } from "@mbs/artifacts";
import { openModel } from "@mbs/models";
import { writeTinyModel } from "@mbs/models/testing";
import { FlightClient, callOf } from "../../../packages/host-grpc/test/fixtures/flight-client.ts";
import { receive, send } from "../../../packages/host-grpc/src/protocol/messages-in-order.ts";
import { messages } from "../../../packages/host-grpc/src/protocol/messages.ts";
import type { FlightData } from "../../../packages/host-grpc/src/protocol/messages.ts";
import { residentMegabytes, startServer } from "./server.ts";
import { syntheticStates } from "./synthetic-states.ts";

const { values } = parseArgs({
  options: { gigabytes: { type: "string", default: "2" }, pause: { type: "string", default: "10" } },
});
const gigabytes = Number(values.gigabytes);
/** Seconds for which the slow client takes nothing. */
const pause = Number(values.pause);
/** Megabytes by which the server may grow. */
const limit = 200;
const hiddenSize = 64;
const length = 128;
const segments = Math.ceil((gigabytes * 1e9) / (hiddenSize * length * 4));

const folder = await mkdtemp(join(tmpdir(), "mbs-stream-"));
await writeTinyModel(join(folder, "models", "tiny"), { hiddenSize, blocks: 1, contextLength: length });
const model = await openModel(join(folder, "models", "tiny"));
const server = await startServer(folder);
const client = new FlightClient(server.port);
const atStart = residentMegabytes(server.pid);
console.log(`${gigabytes} GB of states; the idle server has ${atStart.toFixed(0)} MB`);

interface Passage {
  readonly sent: number;
  readonly received: number;
}

/** Runs a passage and states what the server's memory did meanwhile. */
async function watched(name: string, passage: () => Promise<Passage & { readonly note?: string }>): Promise<void> {
  let most = 0;
  const watch = setInterval(() => (most = Math.max(most, residentMegabytes(server.pid))), 50);
  const { sent, received, note } = await passage();
  clearInterval(watch);
  if (most - atStart >= limit) process.exitCode = 1;
  const bytes = `${(sent / 1e9).toFixed(2)} GB in, ${(received / 1e9).toFixed(2)} GB out`;
  console.log(`${name}: ${bytes}; at most ${(most - atStart).toFixed(0)} MB over idle${note ? `; ${note}` : ""}`);
}

/** Sends states and half-closes. Returns the bytes. */
async function sendStates(call: ReturnType<FlightClient["exchange"] | FlightClient["put"]>, onBytes: (bytes: number) => void) {
  for await (const { header, body } of encodeFlight(syntheticStates(model, segments, length))) {
    await send(call, { dataHeader: header, dataBody: body });
    onBytes(body.length);
  }
  call.end();
}

async function exchange(): Promise<Passage & { readonly note: string }> {
  const call = client.exchange();
  await send(call, callOf({ stage: "propagate", options: { model: { text: "tiny" } } }));
  let sent = 0;
  let received = 0;
  let sentAtFirst = 0;
  let address = "";
  const begun = performance.now();
  let firstAfter = 0;
  const sending = sendStates(call, (bytes) => (sent += bytes));
  for await (const { dataBody, appMetadata } of receive<FlightData>(call)) {
    if (received === 0 && dataBody && dataBody.length > 0) {
      sentAtFirst = sent;
      firstAfter = performance.now() - begun;
    }
    received += dataBody?.length ?? 0;
    if (appMetadata && appMetadata.length > 0) address = messages.StageResult.decode(appMetadata).address;
  }
  await sending;
  if (sentAtFirst >= sent) process.exitCode = 1;
  const share = firstAfter / (performance.now() - begun);
  const note =
    `output began after ${(sentAtFirst / 1e6).toFixed(0)} MB of input, at ${(100 * share).toFixed(1)} % of the time; ` +
    `address ${address.slice(0, 8)}…`;
  return { sent, received, note };
}

let stored = "";
async function put(): Promise<Passage> {
  const call = client.put();
  let sent = 0;
  const sending = sendStates(call, (bytes) => (sent += bytes));
  for await (const { appMetadata } of receive<{ appMetadata: Uint8Array }>(call)) stored = Buffer.from(appMetadata).toString();
  await sending;
  return { sent, received: 0 };
}

async function get(stopAt: number): Promise<Passage> {
  let received = 0;
  let waited = false;
  for await (const { dataBody } of receive<FlightData>(client.get(stored))) {
    received += dataBody?.length ?? 0;
    if (!waited && received > stopAt) {
      waited = true;
      await delay(pause * 1000);
    }
  }
  return { sent: 0, received };
}

try {
  await watched("DoExchange propagate", exchange);
  await watched("DoPut", put);
  await watched("DoGet", () => get(Infinity));
  await watched(`DoGet, a client that takes nothing for ${pause} s`, () => get(1e8));
} finally {
  client.close();
  await model.close();
  server.process.kill("SIGTERM");
  await new Promise((resolve) => server.process.once("close", resolve));
  await rm(folder, { recursive: true });
}
