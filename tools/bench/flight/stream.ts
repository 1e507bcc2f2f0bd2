/**
 * Sends 2 GB through a stage on a Flight server and back, and watches the server's memory.
 *
 *   npx tsc -b && node --import tsx tools/bench/flight/stream.ts [--gigabytes 2] [--slow]
 *
 * --slow waits 5 ms a batch while reading, as a slow client does. Fails when the server's memory grows by 200 MB or more, or
 * when output begins only after the input's end.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { encodeSegments } from "@mbs/artifacts";
import type { Segment } from "@mbs/artifacts";
import { runRemote } from "@mbs/host-grpc";
import { pass } from "../../../packages/host-cli/test/fixtures/stages.ts";

const { values } = parseArgs({
  options: { gigabytes: { type: "string", default: "2" }, slow: { type: "boolean", default: false } },
});
const tokens = 100_000;
const segments = Math.ceil((Number(values.gigabytes) * 1e9) / (4 * tokens));
const megabyte = 1024 * 1024;
const limit = 200;

const store = mkdtempSync(join(tmpdir(), "mbs-bench-"));
const server = spawn(process.execPath, [...process.execArgv, join(import.meta.dirname, "server.ts"), store], {
  stdio: ["ignore", "pipe", "inherit"],
});
const port = await new Promise<number>((resolve) =>
  server.stdout.once("data", (chunk: Buffer) => resolve(Number(chunk.toString()))),
);

const residentMegabytes = (): number => {
  const status = readFileSync(`/proc/${server.pid}/status`, "utf8");
  return (Number(/VmRSS:\s*(\d+) kB/.exec(status)?.[1]) * 1024) / megabyte;
};

let sent = 0;
async function* source(): AsyncGenerator<Segment> {
  for (let segment = 0; segment < segments; segment++) {
    const values = new Int32Array(tokens).fill(segment);
    sent += values.byteLength;
    yield { segment, language: "en", documents: 1, tokens: values };
  }
}

const metadata = {
  tokenizer: "",
  corpus: "",
  distribution: "",
  length: tokens,
  seed: 0,
  mix: "equal",
  counts: {},
  shortfall: {},
};
const remote = (items: AsyncGenerator<Segment>) =>
  runRemote({
    via: `grpc://127.0.0.1:${port}`,
    stage: pass,
    inputs: { segments: [encodeSegments(items, metadata)], more: [] },
    options: {},
    context: { signal: new AbortController().signal, threads: 1, progress: () => undefined, warn: () => undefined },
    nameResource: async (_kind, path) => path,
  });

try {
  const before = residentMegabytes();
  let peak = before;
  const watch = setInterval(() => (peak = Math.max(peak, residentMegabytes())), 20);
  const started = performance.now();
  const { segments: output } = await remote(source());
  let received = 0;
  let sentAtFirst = 0;
  let first = 0;
  if (!output) throw new Error("no output");
  for await (const { columns } of output.batches) {
    if (received === 0) [first, sentAtFirst] = [performance.now() - started, sent];
    for (const row of columns["tokens"] as readonly Int32Array[]) received += row.byteLength;
    if (values.slow) await delay(5);
  }
  const seconds = (performance.now() - started) / 1000;
  clearInterval(watch);
  const growth = peak - before;
  const total = segments * tokens * 4;
  process.stdout.write(
    `${(received / 1e9).toFixed(2)} GB there and back in ${seconds.toFixed(1)} s (${(received / 1e6 / seconds).toFixed(0)} MB/s each way)\n` +
      `first output after ${(first / 1000).toFixed(2)} s, when ${((100 * sentAtFirst) / total).toFixed(1)}% of the input was sent\n` +
      `server memory ${before.toFixed(0)} MB before, ${peak.toFixed(0)} MB at most: ${growth.toFixed(0)} MB more (limit ${limit})\n`,
  );
  if (received !== total || growth >= limit || sentAtFirst >= total) process.exitCode = 1;
} finally {
  server.kill();
  rmSync(store, { recursive: true });
}
