import { test } from "uvu";
import * as assert from "uvu/assert";
import { runMbs } from "../fixtures/run-mbs.ts";

test("doctor says what this machine has, and that the matrix library loads", async () => {
  const { code, stdout, stderr } = await runMbs(["doctor"]);
  assert.is(code, 0, stderr);
  const text = stdout.toString();
  assert.match(text, new RegExp(`^mbs +\\d.*\\nNode +${process.versions.node} on ${process.platform} ${process.arch}\\n`));
  assert.match(text, /\nONNX Runtime +\d+\.\d+\.\d+; telemetry off\nprocessor +[\d.]+ GFLOP\/s in products of float32\n/);
  assert.match(text, /\nthreads .*\nmemory .*\ndisk here /);
});

test("doctor prints JSON", async () => {
  const { stdout } = await runMbs(["doctor", "--json"]);
  const { checks } = JSON.parse(stdout.toString()) as { checks: { name: string; found: string; remedy?: string }[] };
  assert.equal(
    checks.slice(0, 3).map(({ name }) => name),
    ["mbs", "Node", "ONNX Runtime"],
  );
  assert.not(checks.some(({ remedy }) => remedy !== undefined));
});

test.run();
