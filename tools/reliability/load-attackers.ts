/**
 * Hostile clients of a server, for tools/reliability/load.ts.
 *
 * usage: load-attackers.ts PORT TOKEN MILLISECONDS SEED
 */
import { connect } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { callOf, FlightClient } from "../../packages/host-grpc/test/fixtures/flight-client.ts";
import { messages } from "../../packages/host-grpc/src/protocol/messages.ts";
import type { FlightData } from "../../packages/host-grpc/src/protocol/messages.ts";
import { smallArtifact } from "./load-artifact.ts";
import { drawOf } from "./mutations/draw.ts";
import { mutateBytes } from "./mutations/mutate-bytes.ts";

const [portText, token = "", milliseconds, seedText] = process.argv.slice(2);
const [port, seed] = [Number(portText), Number(seedText)];
const end = performance.now() + Number(milliseconds);
const data = await smallArtifact();

const swallow = (): void => undefined;

/** A socket that sends something, or nothing, and stays for a while. */
async function openSocket(bytes: Uint8Array, milliseconds: number): Promise<void> {
  const socket = connect({ port, host: "127.0.0.1" }).on("error", swallow).resume();
  socket.write(bytes);
  await wait(milliseconds);
  socket.destroy();
}

/** A call with bytes of its own, left after a while. */
async function callWith(message: FlightData, milliseconds: number, own = token): Promise<void> {
  const client = new FlightClient(port, own);
  const call = client.exchange().on("error", swallow).on("data", swallow);
  call.write(message);
  await wait(milliseconds);
  call.cancel();
  client.close();
}

const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const stageCall = messages.StageCall.encode({ stage: "factor", options: {}, inputs: {}, output: "", threads: 1 });

type Attack = (number: number) => Promise<void>;

const hostile: Readonly<Record<string, Attack>> = {
  "silent connections": () => openSocket(new Uint8Array(0), 5000),
  "bytes that are no HTTP/2": (number) => openSocket(mutateBytes(preface, drawOf(seed, "preface", number)), 200),
  "half-open calls": () => callWith({}, 2000),
  "wrong tokens": () => callWith(callOf({ stage: "factor" }), 100, "wrong".padEnd(32, "-")),
  "mutated calls": (number) =>
    callWith({ flightDescriptor: { type: 2, cmd: mutateBytes(stageCall, drawOf(seed, "call", number)), path: [] } }, 300),
  "mutated artifacts": async (number) => {
    const client = new FlightClient(port, token);
    const call = client.put().on("error", swallow).on("data", swallow);
    for (const [index, { dataHeader = new Uint8Array(0), dataBody = new Uint8Array(0) }] of data.entries()) {
      const draw = drawOf(seed, `part ${index}`, number);
      call.write({ dataHeader: mutateBytes(dataHeader, draw), dataBody });
    }
    await wait(200);
    call.cancel();
    client.close();
  },
  "calls of stages that are left": () => callWith(callOf({ stage: "factor" }), 50),
};

const counts: Record<string, number> = {};
async function attack(name: string, act: Attack): Promise<void> {
  for (let number = 0; performance.now() < end; number++) {
    await act(number);
    counts[name] = (counts[name] ?? 0) + 1;
  }
}
await Promise.all(Object.entries(hostile).flatMap(([name, act]) => [attack(name, act), attack(name, act)]));
process.send?.(counts, undefined, {}, () => process.exit());
