import { fileURLToPath } from "node:url";

/** The command, as it was built. */
export const command = fileURLToPath(new URL("../../../packages/mbs/bin/mbs.js", import.meta.url));

/** What starts the process of a worker's nodes. */
export const childCommand: readonly string[] = [process.execPath, command, "run-worker", "--offline"];

/** Milliseconds: a lost worker is noticed within seconds, so that a minute has many kills. */
export const timings = { lock: 3000, stalled: 700, poll: 300, presence: 3000, follow: 2500, backoff: 200 };
