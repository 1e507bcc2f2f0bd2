import { readFile } from "node:fs/promises";
import { InputOutputError, UsageError } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { metricsPackages, tracesPackages } from "../../src/observe/observe-packages.ts";
import { parseMetricsAddress } from "../../src/observe/metrics-address.ts";
import { openMetrics } from "../../src/observe/metrics.ts";

const read = async (address: string): Promise<string> => (await fetch(address)).text();

/** Values by metric with its labels. */
const valuesOf = (text: string): Map<string, number> =>
  new Map(
    text
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"))
      .map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ")))]),
  );

test("stages are counted while they run and by how they end, with their times, waits and bytes", async () => {
  const metrics = await openMetrics("0");
  try {
    const { stage } = metrics.observer;
    const first = stage({ stage: "capture", waited: 20 });
    const second = stage({ stage: "capture" });
    assert.is(valuesOf(await read(metrics.address)).get('mbs_stages_running{stage="capture"}'), 2);
    first({ outcome: "finished", received: 7, sent: 5 });
    second({ outcome: "failed", tag: "internal" });
    stage({ stage: "factor" })({ outcome: "stopped" });
    const values = valuesOf(await read(metrics.address));
    for (const [name, value] of [
      ['mbs_stages_running{stage="capture"}', 0],
      ['mbs_stages_total{stage="capture",outcome="finished"}', 1],
      ['mbs_stages_total{stage="capture",outcome="failed"}', 1],
      ['mbs_stages_total{stage="factor",outcome="stopped"}', 1],
      ['mbs_stage_seconds_count{stage="capture"}', 2],
      ['mbs_stage_wait_seconds_sum{stage="capture"}', 20],
      ['mbs_stage_wait_seconds_count{stage="capture"}', 1],
      ["mbs_received_bytes_total", 7],
      ["mbs_sent_bytes_total", 5],
    ] as const) {
      assert.is(values.get(name), value, name);
    }
  } finally {
    await metrics.close();
  }
});

test("calls are counted by method and status, and the state of a server is read when it is asked for", async () => {
  const metrics = await openMetrics("localhost:0");
  try {
    const state = { storeBytes: 1, waitingCalls: 2 };
    metrics.watch(state);
    const call = metrics.observer.call({ method: "DoExchange", peer: "someone" });
    call.stage({ stage: "capture", waited: 0 })({ outcome: "finished" });
    call.end({ status: "OK", received: 3, sent: 4 });
    metrics.observer.call({ method: "DoGet", peer: "x" }).end({ status: "UNAUTHENTICATED", received: 0, sent: 0 });
    state.storeBytes = 10;
    const text = await read(metrics.address);
    const values = valuesOf(text);
    for (const [name, value] of [
      ['mbs_calls_total{method="DoExchange",status="OK"}', 1],
      ['mbs_calls_total{method="DoGet",status="UNAUTHENTICATED"}', 1],
      ['mbs_stages_total{stage="capture",outcome="finished"}', 1],
      ["mbs_received_bytes_total", 3],
      ["mbs_sent_bytes_total", 4],
      ["mbs_store_bytes", 10],
      ["mbs_calls_waiting", 2],
    ] as const) {
      assert.is(values.get(name), value, name);
    }
    assert.not.match(text, /someone/);
  } finally {
    await metrics.close();
  }
});

test("every metric has a help line and a type, and is named in the documents", async () => {
  const metrics = await openMetrics("0");
  try {
    metrics.watch({ storeBytes: 0, waitingCalls: 0 });
    const call = metrics.observer.call({ method: "DoGet", peer: "" });
    call.stage({ stage: "capture", waited: 1 })({ outcome: "finished", received: 1, sent: 1 });
    call.end({ status: "OK", received: 1, sent: 1 });
    const text = await read(metrics.address);
    const page = await readFile(new URL("../../../../docs/observing.md", import.meta.url), "utf8");
    const names = [...text.matchAll(/^# TYPE (\S+) \w+$/gm)].map(([, name = ""]) => name);
    assert.is(names.length, 9);
    for (const name of names) {
      assert.match(text, new RegExp(`^# HELP ${name} \\w`, "m"));
      assert.ok(page.includes(`\`${name}\``), name);
    }
  } finally {
    await metrics.close();
  }
});

test("any other path is 404, and after the end nothing listens", async () => {
  const metrics = await openMetrics("0");
  assert.is((await fetch(metrics.address.replace("/metrics", "/"))).status, 404);
  await metrics.close();
  await fetch(metrics.address).then(
    () => assert.unreachable(),
    () => undefined,
  );
});

test("a port alone is on loopback, and what is no address is refused", () => {
  assert.equal(parseMetricsAddress("9464"), { host: "127.0.0.1", port: 9464 });
  assert.equal(parseMetricsAddress("[::1]:1"), { host: "[::1]", port: 1 });
  assert.equal(parseMetricsAddress("0.0.0.0:9464"), { host: "0.0.0.0", port: 9464 });
  for (const text of ["", "x", "a:b", "1:70000", "http://a:1", "a:1/metrics"]) {
    assert.throws(
      () => parseMetricsAddress(text),
      (error: unknown) => error instanceof UsageError,
      text,
    );
  }
});

test("metrics off loopback are said to be open, and a port that is taken is refused", async () => {
  const open = await openMetrics("0.0.0.0:0");
  const port = new URL(open.address).port;
  assert.ok(open.isOpen);
  try {
    await openMetrics(`127.0.0.1:${port}`);
    assert.unreachable();
  } catch (error) {
    assert.instance(error, InputOutputError);
    assert.is(
      (error as Error).message,
      `cannot listen at 127.0.0.1:${port}: the port is taken; end the program that has it, or give another --metrics`,
    );
  }
  await open.close();
});

test("the messages for missing packages have the versions of package.json", async () => {
  const manifest: unknown = JSON.parse(await readFile(new URL("../../package.json", import.meta.url), "utf8"));
  const { peerDependencies } = manifest as { peerDependencies: Record<string, string> };
  const named = Object.fromEntries([...metricsPackages, ...tracesPackages].map(({ name, version }) => [name, version]));
  assert.equal(
    named,
    Object.fromEntries(Object.entries(peerDependencies).filter(([name]) => name.startsWith("@opentelemetry/"))),
  );
});

test.run();
