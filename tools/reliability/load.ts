/**
 * Measures what hostile clients do to others: `mbs serve` answers good clients alone and with hostile ones beside them, in turns
 * of at most about five minutes, so that other work on the machine meets both alike. Latencies are those of the good ones.
 *
 * usage: node --conditions=mbs-source --import tsx tools/reliability/load.ts [--seconds N] [--seed S] [--output FILE]
 *   --seconds  of all turns together, half of them with hostile clients (default 900)
 *   --seed     of mutated messages (default 0)
 *   --output   file for the result as JSON, written after each pair of turns (default: standard output, at the end)
 *
 * Needs a build (`npm run build`) and Linux. Exits with 1 where a call of a good client failed.
 */
import { fork, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { constants, setPriority, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { at } from "@mbs/contracts";
import { callOf, FlightClient, all } from "../../packages/host-grpc/test/fixtures/flight-client.ts";
import { send } from "../../packages/host-grpc/src/protocol/messages-in-order.ts";
import type { FlightData } from "../../packages/host-grpc/src/protocol/messages.ts";
import { smallArtifact } from "./load-artifact.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "900" },
    seed: { type: "string", default: "0" },
    output: { type: "string" },
  },
});
const [seconds, seed] = [Number(values.seconds), Number(values.seed)];
if (!(seconds > 0) || !Number.isSafeInteger(seed)) {
  console.error("usage: tools/reliability/load.ts [--seconds N] [--seed S] [--output FILE]");
  process.exit(2);
}
const pairs = Math.ceil(seconds / 600);
const turnMs = (seconds / pairs / 2) * 1000;
const tokens = { good: "good".padEnd(32, "-"), hostile: "hostile".padEnd(32, "-") };

/** Milliseconds of the calls of one kind, and how often they failed. */
interface Calls {
  readonly milliseconds: number[];
  failed: number;
}

type Phase = "alone" | "beside";
const phases: readonly Phase[] = ["alone", "beside"];
const found = new Map<string, Calls>();
const memory: { readonly phase: Phase; readonly second: number; readonly bytes: number }[] = [];
const attackers = fileURLToPath(new URL("load-attackers.ts", import.meta.url));

async function timed(phase: Phase, kind: string, call: () => Promise<unknown>): Promise<void> {
  const key = `${phase} ${kind}`;
  const calls = found.get(key) ?? { milliseconds: [], failed: 0 };
  found.set(key, calls);
  const begun = performance.now();
  try {
    await call();
    calls.milliseconds.push(performance.now() - begun);
  } catch (error) {
    calls.failed++;
    console.error(`${key}: ${String(error)}`);
  }
}

const folder = await mkdtemp(join(tmpdir(), "mbs-load-"));
await writeFile(
  join(folder, "tokens"),
  Object.entries(tokens).map(([name, token]) => `${name} run,read,write,delete ${token}\n`),
  { mode: 0o600 },
);
const program = resolve(import.meta.dirname, "../../packages/mbs/bin/mbs.js");
const flags = ["--listen", "127.0.0.1:0", "--store", join(folder, "store"), "--tokens", join(folder, "tokens")];
/** What docs/grpc.md advises where clients may be hostile: one has a thread of stages at a time, and few calls. */
const limits = ["--threads", "1", "--client-threads", "1", "--client-calls", "20"];
const server = spawn(process.execPath, [program, "serve", ...flags, ...limits], { stdio: ["ignore", "ignore", "pipe"] });
process.on("exit", () => server.kill("SIGKILL"));
const whenClosed = once(server, "close").then(() => {
  throw new Error("the server ended");
});
const listening = new Promise<number>((done) => {
  server.stderr.on("data", (text: Buffer) => {
    const address = /grpc:\/\/127\.0\.0\.1:(\d+)/.exec(text.toString());
    if (address) done(Number(address[1]));
  });
});
const port = await Promise.race([listening, whenClosed]);

const data = await smallArtifact();

async function put(client: FlightClient): Promise<string> {
  const call = client.put();
  const answers = all<{ appMetadata: Uint8Array }>(call);
  for (const message of data) await send(call, message);
  call.end();
  return Buffer.from(at(await answers, 0).appMetadata).toString();
}

async function runStage(client: FlightClient): Promise<void> {
  const call = client.exchange();
  const answers = all<FlightData>(call);
  const { flightDescriptor } = callOf({ stage: "factor" });
  for (const [index, message] of data.entries()) {
    await send(call, index === 0 ? { ...message, ...(flightDescriptor && { flightDescriptor }) } : message);
  }
  call.end();
  if ((await answers).length < 2) throw new Error("a stage gave nothing");
}

/** Puts, gets and lists without a pause of their own; every tenth round runs a stage, in a process of the server. */
async function goodClient(phase: Phase, end: number): Promise<void> {
  const client = new FlightClient(port, tokens.good);
  for (let round = 0; performance.now() < end; round++) {
    let address = "";
    await timed(phase, "put", async () => (address = await put(client)));
    await timed(phase, "get", () => all(client.get(address)));
    await timed(phase, "list-stages", () => client.listStages());
    if (round % 10 === 0) await timed(phase, "stage", () => runStage(client));
    await wait(100);
  }
  client.close();
}

/** Starts hostile clients in a process of their own: in this one they would delay the good ones. @returns how often each did what */
async function attack(ownSeed: number): Promise<Readonly<Record<string, number>>> {
  const child = fork(attackers, [String(port), tokens.hostile, String(turnMs), String(ownSeed)]);
  // on machines of their own they would take nothing from the server's processors
  if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_LOW);
  const closed = once(child, "close");
  const early = closed.then(() => {
    throw new Error("the process of hostile clients ended without its counts");
  });
  const [counts] = (await Promise.race([once(child, "message"), early])) as [Readonly<Record<string, number>>];
  early.catch(() => undefined);
  await closed;
  return counts;
}

const begun = performance.now();
async function watchMemory(phase: Phase, end: number): Promise<void> {
  while (performance.now() < end) {
    const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${server.pid}/status`, "utf8")) ?? [];
    memory.push({ phase, second: Math.round((performance.now() - begun) / 1000), bytes: Number(kilobytes) * 1024 });
    await wait(Math.min(5000, Math.max(0, end - performance.now())));
  }
}

const attacks: Record<string, number> = {};
const quantile = (sorted: readonly number[], part: number): number =>
  Math.round(10 * (sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? NaN)) / 10;

/** What was measured so far. */
function result(): object {
  const calls = [...found].map(([kind, { milliseconds, failed }]) => {
    const sorted = milliseconds.toSorted((a, b) => a - b);
    return { kind, calls: sorted.length, failed, p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99) };
  });
  return { seconds: Math.round((performance.now() - begun) / 1000), seed, calls, attacks, memory };
}
const textOf = (value: object): string => `${JSON.stringify(value, undefined, 2)}\n`;

for (let pair = 0; pair < pairs; pair++) {
  for (const phase of phases) {
    const end = performance.now() + turnMs;
    const good = [goodClient(phase, end), goodClient(phase, end), watchMemory(phase, end)];
    const hostile: Promise<Readonly<Record<string, number>>> = phase === "beside" ? attack(seed + pair) : Promise.resolve({});
    const [counts] = await Promise.race([Promise.all([hostile, ...good]), whenClosed]);
    for (const [name, count] of Object.entries(counts)) attacks[name] = (attacks[name] ?? 0) + count;
  }
  if (values.output !== undefined) await writeFile(values.output, textOf(result()));
}
server.kill("SIGINT");
await whenClosed.catch(() => undefined);
await rm(folder, { recursive: true });
if (values.output === undefined) process.stdout.write(textOf(result()));
if ([...found.values()].some(({ failed }) => failed > 0)) process.exitCode = 1;
