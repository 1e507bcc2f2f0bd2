import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { encodeFlight, encodeSegments } from "@mbs/artifacts";
import type { FlightMessage, Segment } from "@mbs/artifacts";
import { serve } from "@mbs/host-grpc";
import type { RunningServer, ServeOptions } from "@mbs/host-grpc";
import { programCommand } from "../../host-cli/test/fixtures/run-program.ts";
import { stages } from "../../host-cli/test/fixtures/stages.ts";
import { send } from "../src/messages-in-order.ts";
import type { FlightData } from "../src/protocol/messages.ts";
import { FlightClient, all, callOf } from "./flight-client.ts";

export interface FakeServer {
  readonly server: RunningServer;
  readonly client: FlightClient;
  /** Holds the store; the server does not keep it from others. */
  readonly folder: string;
  readonly log: string[];
}

/** Far more than any test needs; a fault then fails its test instead of holding up all others. */
const patienceMs = 120_000;

/** The result of work that must not take for ever. */
export async function inTime<T>(work: Promise<T>): Promise<T> {
  const done = new AbortController();
  const late = delay(patienceMs, undefined, { signal: done.signal }).then(() => {
    throw new Error(`not done after ${patienceMs / 1000} s`);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    late.catch(() => undefined);
    done.abort();
  }
}

/** A server of the fake stages with one place, for as long as the work takes. */
export async function withServer(options: Partial<ServeOptions>, work: (fake: FakeServer) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "host-grpc-"));
  const log: string[] = [];
  const server = await serve({
    listen: "127.0.0.1:0",
    stages,
    store: join(folder, "store"),
    addressOf: async () => undefined,
    command: programCommand,
    children: 1,
    threads: 1,
    log: (line) => void log.push(line),
    ...options,
  });
  const client = new FlightClient(server.port);
  try {
    await inTime(work({ server, client, folder, log }));
  } finally {
    client.close();
    await server.close();
    await rm(folder, { recursive: true });
  }
}

/** Segments as Flight messages, the schema first, one segment a message. */
export async function* segmentMessages(count: number, length = 4): AsyncGenerator<FlightMessage> {
  async function* items(): AsyncGenerator<Segment> {
    for (let segment = 0; segment < count; segment++) {
      yield { segment, language: "en", documents: 1, tokens: new Int32Array(length).fill(segment) };
    }
  }
  const addresses = { tokenizer: "a".repeat(64), corpus: "b".repeat(64), distribution: "" };
  yield* encodeFlight(encodeSegments(items(), { ...addresses, length, seed: 0, mix: "equal", counts: {}, shortfall: {} }));
}

/** The stage `make` by a call of its own: it goes well only where a place is free. */
export async function callMake(client: FlightClient): Promise<FlightData[]> {
  const call = client.exchange();
  const answers = all<FlightData>(call);
  await send(call, callOf({ stage: "make" }));
  call.end();
  return answers;
}
