import { at, FailedPreconditionError } from "@mbs/contracts";
import { createBlas, createMomentKernel } from "@mbs/onnx";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { LanguageStatistics, type SitePlan } from "../src/language-statistics.ts";
import { TokenRows } from "../src/token-rows.ts";

const plan = { site: "expert-0-up", width: 2, gram: true, diagonal: true, cross: true, normalised: false };

const matrix = (...values: number[]) => ({ rows: values.length / 2, columns: 2, values: Float32Array.from(values) });

function open(sites: readonly SitePlan[] = [plan]) {
  const [kernel, blas, rows] = [createMomentKernel({ threads: 1 }), createBlas({ threads: 1 }), new TokenRows({ threads: 1 })];
  const release = async (): Promise<void> => void (await Promise.all([kernel, blas, rows].map((own) => own.release())));
  return { statistics: new LanguageStatistics(sites, { kernel, rows }), release };
}

test("tokens that an expert does not see count as zero, so that its statistics are means over all tokens", async () => {
  const { statistics, release } = open();
  await statistics.add("expert-0-up", { input: { rows: 2, columns: 2, values: Float32Array.of(1, 2, 3, 4) }, tokens: 3 });
  await statistics.add("expert-0-up", { input: { rows: 0, columns: 2, values: new Float32Array(0) }, tokens: 1 });
  await statistics.add("expert-1-up", { input: { rows: 1, columns: 2, values: Float32Array.of(9, 9) }, tokens: 1 });
  const means = at(await statistics.finish(), 0);
  assert.is(means.tokens, 4);
  assert.is(means.seen, 2);
  assert.equal(means.gram, Float32Array.of(10 / 4, 14 / 4, 20 / 4));
  assert.equal(means.diagonal, Float32Array.of(10 / 4, 20 / 4));
  await release();
});

test("an expert that sees no token has a Gram of zeros", async () => {
  const { statistics, release } = open();
  await statistics.add("expert-0-up", { input: { rows: 0, columns: 2, values: new Float32Array(0) }, tokens: 5 });
  assert.equal(at(await statistics.finish(), 0).gram, new Float32Array(3));
  await release();
});

test("the cross-moment is the mean of (x̃ - x) xᵀ over all that was compared", async () => {
  const { statistics, release } = open();
  await statistics.add(plan.site, { input: matrix(1, 2), tokens: 1, dense: { input: matrix(1.5, 2), weight: 1 / 2 } });
  await statistics.add(plan.site, { input: matrix(3, 4), tokens: 1, dense: { input: matrix(3, 3), weight: 1 / 2 } });
  // (0.5, 0)·(1, 2)ᵀ + (0, -1)·(3, 4)ᵀ, over two tokens
  assert.equal(at(await statistics.finish(), 0).crossMoment, Float32Array.of(0.25, 0.5, -1.5, -2));
  await release();
});

function near(found: Float32Array | undefined, expected: readonly number[]): void {
  assert.is(found?.length, expected.length);
  for (const [index, value] of expected.entries()) assert.ok(Math.abs(at(found ?? [], index) - value) < 1e-6, `${index}`);
}

test("normalised tokens count alike, whatever their size", async () => {
  const { statistics, release } = open([{ ...plan, normalised: true }]);
  // (3, 4) has a root mean square of √12.5, (0, 100) one of √5000; zeros stay
  const states = { rows: 3, columns: 2, values: Float32Array.of(3, 4, 0, 100, 0, 0) };
  await statistics.add(plan.site, {
    input: states,
    tokens: 3,
    dense: { input: { ...states, values: Float32Array.of(4, 4, 0, 100, 0, 0) }, weight: 1 / 3 },
  });
  const { gram, diagonal, crossMoment } = at(await statistics.finish(), 0);
  near(gram, [9 / 12.5 / 3, 12 / 12.5 / 3, (16 / 12.5 + 10_000 / 5000) / 3]);
  near(diagonal, [9 / 12.5 / 3, (16 / 12.5 + 2) / 3]);
  // (1, 0)·(3, 4)ᵀ / 12.5
  near(crossMoment, [3 / 12.5 / 3, 4 / 12.5 / 3, 0, 0]);
  await release();
});

test("tokens whose squares float32 does not hold are normalised as others are", async () => {
  const { statistics, release } = open([{ ...plan, normalised: true, cross: false }]);
  for (const size of [1e25, 1, 1e-25]) {
    await statistics.add(plan.site, { input: matrix(3 * size, 4 * size), tokens: 1 });
  }
  near(at(await statistics.finish(), 0).gram, [9 / 12.5, 12 / 12.5, 16 / 12.5]);
  await release();
});

test("where a site's output is added to states, tokens are normalised by these", async () => {
  const { statistics, release } = open([{ ...plan, normalised: true, cross: false }]);
  const residual = { rows: 2, columns: 3, values: Float32Array.of(1, 2, 2, 0, 0, 30) };
  await statistics.add(plan.site, { input: matrix(1, 2, 10, 10), tokens: 2, residual });
  // mean squares are 3 and 300
  near(at(await statistics.finish(), 0).gram, [(1 / 3 + 100 / 300) / 2, (2 / 3 + 100 / 300) / 2, (4 / 3 + 100 / 300) / 2]);
  await release();
});

test("what an expert reads cannot be compared: the dense model sends it other tokens", async () => {
  const { statistics, release } = open();
  const two = { rows: 2, columns: 2, values: new Float32Array(4) };
  const error = await statistics
    .add(plan.site, { input: two, tokens: 3, dense: { input: two, weight: 1 / 3 } })
    .catch((caught: unknown) => caught);
  assert.instance(error, FailedPreconditionError);
  await release();
});

test.run();
