import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isObject } from "@mbs/contracts";
import { writeTinyModel } from "@mbs/models/testing";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { until } from "../../../../tools/test/until.ts";
import { installedProgram } from "../fixtures/program.ts";
import { hasRedis, startRedis } from "../fixtures/redis-server.ts";
import { endChildren, runMbs } from "../fixtures/run-mbs.ts";

type Json = Readonly<Record<string, unknown>>;

/** A span as OpenTelemetry's protocol has it. */
interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly attributes: readonly { readonly key: string; readonly value: Json }[];
}

/** A collector of spans, which keeps what it gets. */
interface Collector {
  readonly url: string;
  readonly bodies: string[];
  readonly close: () => void;
}

async function startCollector(): Promise<Collector> {
  const bodies: string[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => (body += text));
    request.on("end", () => {
      bodies.push(body);
      response.setHeader("content-type", "application/json").end("{}");
    });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const close = (): void => {
    server.close();
    server.closeAllConnections();
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, bodies, close };
}

const spansOf = ({ bodies }: Collector): Span[] =>
  bodies.flatMap((body) => {
    const { resourceSpans } = JSON.parse(body) as { resourceSpans: { scopeSpans: { spans: Span[] }[] }[] };
    return resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans));
  });

/** A word of all texts, which nothing that is observed may contain. */
const word = "xylographic";

interface Context {
  root: string;
  collector: Collector;
  children: ChildProcess[];
}

const test = suite<Context>("observed commands");

const withRedis = (name: string, run: (context: Context) => Promise<void>): void =>
  hasRedis ? test(name, run) : test.skip(name, run);

test.before.each(async (context) => {
  context.root = await mkdtemp(join(tmpdir(), "mbs-observed-"));
  context.collector = await startCollector();
  context.children = [];
  await writeTinyModel(join(context.root, "models", "tiny"), { contextLength: 32 });
  const texts = Array.from({ length: 24 }, (_, index) => `A ${word} text, the number ${index}, of the folder.`);
  await mkdir(join(context.root, "texts"));
  await writeFile(join(context.root, "texts", "en.txt"), `${texts.join("\n\n")}\n`);
});
test.after.each(async ({ root, collector, children }) => {
  collector.close();
  await endChildren(children);
  await rm(root, { recursive: true, force: true });
});

/** Starts the command, with a collector of spans in its environment. */
function start({ collector, children }: Context, args: readonly string[]) {
  const env = { ...process.env, OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_EXPORTER_OTLP_PROTOCOL: "http/json" };
  const child = spawn(process.execPath, [installedProgram, ...args], { stdio: ["ignore", "pipe", "pipe"], env });
  children.push(child);
  const said = { out: "", log: "" };
  child.stdout.on("data", (data: Buffer) => (said.out += data.toString()));
  child.stderr.on("data", (data: Buffer) => (said.log += data.toString()));
  return { child, said, ended: new Promise<number | null>((resolve) => child.on("close", resolve)) };
}

/** Every line of a log, each one object. */
const linesOf = (log: string): Json[] =>
  log
    .split("\n")
    .slice(0, -1)
    .map((line) => {
      const value: unknown = JSON.parse(line);
      if (!isObject(value)) throw new Error(line);
      return value;
    });

async function writeRecipe({ root }: Context, more = ""): Promise<string> {
  const path = join(root, "recipe.yaml");
  const lines = [
    `model: ${join(root, "models", "tiny")}`,
    `corpus: ${join(root, "texts")}`,
    "sample: { mix: equal, segments: 4, length: 16 }",
    "compress: { solver: rtn, group-size: 16 }",
    `output: ${join(root, "out")}`,
    more,
  ];
  await writeFile(path, lines.join("\n"));
  return path;
}

/** Nothing of a user: neither texts nor paths nor secrets. */
function requireDiscreet({ collector, root }: Context, secrets: readonly string[] = []): void {
  for (const body of collector.bodies) for (const each of [word, root, ...secrets]) assert.not.match(body, each);
}

test("without their options nothing is sent, listened at or loaded, whatever the environment says", async (context) => {
  const { said, ended } = start(context, ["run", await writeRecipe(context), "--threads", "1"]);
  assert.is(await ended, 0, said.log);
  assert.equal(context.collector.bodies, []);
  assert.not.match(said.log, /metrics at|"event"/);
  const loaded = `
    import { createRequire } from "node:module";
    process.on("exit", () => {
      const names = Object.keys(createRequire(import.meta.url).cache).filter((path) => path.includes("@opentelemetry"));
      process.stdout.write("loaded: " + names.join());
    });`;
  const env = { ...process.env, OTEL_TRACES_EXPORTER: "console" };
  const flags = [
    "--import",
    `data:text/javascript,${encodeURIComponent(loaded.replace("import.meta.url", JSON.stringify(import.meta.url)))}`,
  ];
  const child = spawn(process.execPath, [...flags, installedProgram, "run", join(context.root, "recipe.yaml")], { env });
  let out = "";
  child.stdout.on("data", (data: Buffer) => (out += data.toString()));
  await once(child, "close");
  assert.match(out, /loaded: $/);
});

test("a run: a trace with a span for each node, a log of objects, and no word of its texts", async (context) => {
  const path = await writeRecipe(context);
  const { said, ended } = start(context, ["run", path, "--threads", "1", "--traces", "--log", "json", "--json"]);
  assert.is(await ended, 0, said.log);
  const nodes = said.out
    .trim()
    .split("\n")
    .map((line) => (JSON.parse(line) as { id: string }).id);
  const spans = spansOf(context.collector);
  const root = spans.find(({ name }) => name === "mbs run");
  assert.is(root?.parentSpanId || undefined, undefined);
  const below = spans.filter((span) => span !== root);
  assert.ok(below.every(({ traceId, parentSpanId }) => traceId === root?.traceId && parentSpanId === root.spanId));
  const named = below.map(({ attributes }) => attributes.find(({ key }) => key === "mbs.node")?.value["stringValue"]);
  assert.equal(named.toSorted(), nodes.toSorted());
  const lines = linesOf(said.log);
  const finished = lines.filter(({ event }) => event === "stage-finished");
  assert.equal(finished.map(({ name }) => name).toSorted(), nodes.toSorted());
  for (const { time, level, stage, peer, duration } of finished) {
    assert.ok(!Number.isNaN(Date.parse(String(time))));
    assert.equal([level, typeof stage, typeof peer, typeof duration], ["info", "string", "string", "number"]);
  }
  assert.not.match(said.log, word);
  requireDiscreet(context);
});

test("a run that is refused ends its log with the reason, an object too", async (context) => {
  const path = await writeRecipe(context, "nonsense: true");
  for (const debug of [false, true]) {
    const { said, ended } = start(context, ["run", path, "--log=json", ...(debug ? ["--debug"] : [])]);
    assert.is(await ended, 2);
    const last = linesOf(said.log).at(-1);
    assert.equal([last?.["level"], last?.["event"], last?.["tag"], last?.["code"]], ["error", "ended", "usage", 2]);
    assert.is(/\n {4}at /.test(String(last?.["stack"])), debug);
  }
});

test("a collector that is away fails nothing, and is warned of once", async (context) => {
  context.collector.close();
  const { said, ended } = start(context, ["run", await writeRecipe(context), "--threads", "1", "--traces"]);
  assert.is(await ended, 0, said.log);
  assert.is(said.log.match(/mbs run: warning: spans could not be sent; check OTEL_EXPORTER_OTLP_ENDPOINT/g)?.length, 1, said.log);
});

test("a server: metrics, a span for each call with one for its stage, and a log without tokens and texts", async (context) => {
  const { root, collector } = context;
  const token = "0123456789abcdef".repeat(2);
  const wrong = "fedcba9876543210".repeat(2);
  for (const [name, text] of [
    ["tokens", `me run ${token}\n`],
    ["mine", token],
    ["other", wrong],
  ] as const) {
    await writeFile(join(root, name), text, { mode: 0o600 });
  }
  const roots = ["--model-root", join(root, "models"), "--corpus-root", root, "--store", join(root, "store")];
  const flags = ["--tokens", join(root, "tokens"), "--metrics", "0", "--traces", "--log", "json", "--store-limit", "1GiB"];
  const { child, said, ended } = start(context, ["serve", "--listen", "127.0.0.1:0", ...roots, ...flags]);
  await until(() => child.exitCode !== null || said.log.includes("listening at"), "it listens");
  const via = /grpc:[^"]+/.exec(said.log)?.[0] ?? "";
  const metrics = /http:[^"]+/.exec(said.log)?.[0] ?? "";
  const corpus = ["--corpus", join(root, "texts"), "--mix", "equal", "--segments", "4", "--length", "16"];
  const sample = (tokenFile: string) =>
    runMbs(["sample", "--model", join(root, "models", "tiny"), ...corpus, "--via", via, "--token-file", join(root, tokenFile)]);
  const [made, refused] = [await sample("mine"), await sample("other")];
  assert.is(made.code, 0, made.stderr);
  assert.is(refused.code, 77);
  const read = async (): Promise<string> => (await fetch(metrics)).text();
  await until(async () => /UNAUTHENTICATED/.test(await read()), "the refused call is counted");
  const text = await read();
  assert.match(text, /^mbs_stages_total\{stage="sample",outcome="finished"\} 1$/m);
  assert.match(text, /^mbs_calls_total\{method="DoExchange",status="UNAUTHENTICATED"\} 1$/m);
  assert.match(text, /^mbs_calls_total\{method="DoExchange",status="OK"\} 1$/m);
  assert.match(text, /^mbs_store_bytes 0$/m);
  child.kill("SIGINT");
  assert.is(await ended, 130);
  const spans = spansOf(collector);
  const call = spans.find(
    ({ name, spanId }) => name === "DoExchange" && spans.some(({ parentSpanId }) => parentSpanId === spanId),
  );
  const stage = spans.find(({ name }) => name === "sample");
  assert.is(stage?.traceId, call?.traceId);
  assert.is(spans.filter(({ name }) => name === "DoExchange").length, 2);
  const lines = linesOf(said.log);
  const calls = lines.filter(({ event }) => event === "call-ended");
  assert.equal(
    calls.map(({ level, method, peer, status }) => [level, method, peer, status]),
    [
      ["info", "DoExchange", "me", "OK"],
      ["warn", "DoExchange", "127.0.0.1", "UNAUTHENTICATED"],
    ],
  );
  assert.ok(lines.some(({ event, stage: name, peer }) => event === "stage-finished" && name === "sample" && peer === "me"));
  for (const secret of [token, wrong, word]) {
    assert.not.match(said.log, secret);
    assert.not.match(text, secret);
  }
  assert.not.match(text, root);
  requireDiscreet(context, [token, wrong]);
});

withRedis("a worker: metrics, a span for each job, and a log of objects without the queue's place", async (context) => {
  const { root, children, collector } = context;
  const { server, url } = await startRedis(root);
  children.push(server);
  const place = ["--queue", url, "--store", join(root, "shared")];
  const flags = ["--model-root", join(root, "models"), "--metrics", "0", "--traces", "--log", "json"];
  const worker = start(context, ["work", ...place, ...flags]);
  const run = start(context, ["run", await writeRecipe(context), "--threads", "1", "--engine", "queue", ...place]);
  assert.is(await run.ended, 0, run.said.log);
  const text = await (await fetch(/http:[^"]+/.exec(worker.said.log)?.[0] ?? "")).text();
  assert.match(text, /^mbs_stages_total\{stage="compress",outcome="finished"\} [1-9]/m);
  assert.match(text, /^mbs_stage_wait_seconds_count\{stage="compress"\} [1-9]/m);
  assert.match(text, /^mbs_sent_bytes_total [1-9]/m);
  worker.child.kill("SIGTERM");
  assert.is(await worker.ended, 143, worker.said.log);
  const last = linesOf(worker.said.log).at(-1);
  assert.equal([last?.["level"], last?.["event"], last?.["tag"], last?.["code"]], ["info", "ended", "interrupted", 143]);
  const done = linesOf(worker.said.log).filter(({ event, stage }) => event === "stage-finished" && stage === "compress");
  assert.ok(done.length > 0);
  assert.is(spansOf(collector).filter(({ name }) => name === "compress").length, done.length);
  assert.not.match(worker.said.log, word);
  requireDiscreet(context);
});

test.run();
