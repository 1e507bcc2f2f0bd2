import { fileURLToPath } from "node:url";
import type { QueuePlace } from "@mbs/pipeline";

/** The command, as it was built. */
export const command = fileURLToPath(new URL("../../../packages/mbs/bin/mbs.js", import.meta.url));

/** What starts the process of a worker's nodes. */
export const childCommand: readonly string[] = [process.execPath, command, "run-worker", "--offline"];

/** Where a queue is, as a program of this folder is given it. */
export const queuePlace = (text: string): QueuePlace => ({
  ...(JSON.parse(text) as Pick<QueuePlace, "url" | "passwordFile" | "caFile" | "keyFile">),
  version: "chaos",
});

/** Milliseconds: a lost worker is noticed within seconds, so that a minute has many kills. */
export const timings = { lock: 3000, stalled: 700, poll: 300, presence: 3000, follow: 2500, backoff: 200 };
