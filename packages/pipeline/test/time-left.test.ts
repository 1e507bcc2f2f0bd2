import { test } from "uvu";
import * as assert from "uvu/assert";
import { processorSeconds } from "../../../tools/test/processor-seconds.ts";
import type { PlanNode } from "../src/plan/nodes/plan-node.ts";
import type { NodeStatus } from "../src/run/node-status.ts";
import { estimateLeft, SteadyLeft } from "../src/run/time-left.ts";

const node = (id: string, ...reads: string[]): PlanNode => ({
  id,
  stage: id.split(".")[0] ?? "",
  section: [],
  options: {},
  inputs: { source: reads },
  after: [],
});

const statusOf = (...nodes: Omit<NodeStatus, "stage">[]): ReadonlyMap<string, NodeStatus> =>
  new Map(nodes.map((found) => [found.id, { stage: "", ...found }]));

const expect = (seconds: Readonly<Record<string, number | undefined>>, following = 0) => ({
  nodes: new Map(Object.entries(seconds)),
  following,
});

const secondsLeft = (...given: Parameters<typeof estimateLeft>): number => Math.round(estimateLeft(...given).seconds * 100) / 100;

test("time left is that of the longest chain, or of all work on all workers", () => {
  const chain = [node("capture.1"), node("capture.2", "capture.1"), node("capture.3", "capture.2")];
  const beside = [node("capture.1"), node("capture.2", "capture.1"), node("capture.3", "capture.1")];
  const each = expect({ "capture.1": 10, "capture.2": 10, "capture.3": 10 });
  const done = statusOf({ id: "capture.1", state: "done", seconds: 10 });
  assert.is(secondsLeft(chain, done, each, 1, 0), 20);
  assert.is(secondsLeft(chain, done, each, 2, 0), 20, "one waits for the other");
  assert.is(secondsLeft(beside, done, each, 2, 0), 10);
});

test("what is expected is corrected by the closest nodes that are done, and counts those of which none was run, and what follows", () => {
  const nodes = ["capture.1", "compress.1", "capture.2", "compress.2", "compress.embeddings", "evaluate", "assemble"].map((id) =>
    node(id),
  );
  const expected = expect(
    {
      "capture.1": 10,
      "compress.1": 10,
      "capture.2": 10,
      "compress.2": 10,
      "compress.embeddings": 50,
      evaluate: 20,
      assemble: 4,
    },
    100,
  );
  // nothing is done yet
  assert.equal(estimateLeft(nodes, statusOf(), expected, 1, 0), { seconds: 214, isLeast: false, done: 0 });
  const done = statusOf(
    { id: "capture.1", state: "done", seconds: 20 },
    { id: "compress.1", state: "done", seconds: 5 },
    { id: "capture.2", state: "done", seconds: 24 },
  );
  // of its kind; of its stage; of stages that run the model; of all
  const all = 49 / 30;
  const left = 5 + 25 + 20 * 2.2 + 4 * all + 100 * all;
  const found = estimateLeft(nodes, done, expected, 1, 0);
  assert.ok(Math.abs(found.seconds - left) < 1e-9, `${found.seconds}, ${left}`);
  assert.ok(Math.abs(found.done - 30 / 114) < 1e-9);
});

test("a node at work counts by its own progress, the more of it there is", () => {
  const nodes = [node("evaluate")];
  const expected = expect({ evaluate: 100 });
  const running = (share: number, seconds: number): number =>
    secondsLeft(nodes, statusOf({ id: "evaluate", state: "running", began: 0, share }), expected, 1, seconds * 1000);
  assert.is(running(0, 30), 70);
  // a first step that took ten times as long as those to come does not count as they do: 0.99 · (0.05 · 1000 + 0.95 · 100)
  assert.is(running(0.01, 10), 143.55);
  assert.is(running(0.5, 30), 30);
});

test("a node of which nothing is known hides no time left, which is that of the others at least", () => {
  const nodes = [node("capture.1"), node("mine.1"), node("mine.2")];
  const expected = expect({ "capture.1": 10, "mine.1": undefined, "mine.2": undefined });
  assert.equal(estimateLeft(nodes, statusOf(), expected, 1, 0), { seconds: 10, isLeast: true, done: 0 });
  const one = statusOf({ id: "mine.1", state: "done", seconds: 3 });
  assert.equal(estimateLeft(nodes, one, expected, 1, 0), { seconds: 13, isLeast: false, done: 0 });
});

test("the time left of a large plan is found at once", async () => {
  const nodes = Array.from({ length: 20_000 }, (_, index) => node(`capture.${index}`));
  const half = nodes.slice(0, 10_000).map(({ id }) => ({ id, state: "done", seconds: 2 }) as const);
  const expected = expect(Object.fromEntries(nodes.map(({ id }) => [id, 1])));
  const seconds = await processorSeconds(() => assert.is(secondsLeft(nodes, statusOf(...half), expected, 10, 0), 2000));
  assert.ok(seconds < 0.5, `${seconds} s`);
});

/** What is shown every second of a run whose nodes of two kinds take other times than were expected of them. */
function shownOf(expectedOf: (kind: string) => number, takes: (kind: string, index: number) => number) {
  const kinds = ["capture", "compress"];
  const ids = [
    ...Array.from({ length: 24 }, (_, index) => kinds.map((kind) => `${kind}.${index}`)).flat(),
    "compress.embeddings",
    "evaluate",
  ];
  const nodes = ids.map((id) => node(id));
  const expected = expect(
    Object.fromEntries(nodes.map(({ id, stage }) => [id, expectedOf(id.includes("embeddings") ? "embeddings" : stage)])),
  );
  const steady = new SteadyLeft();
  const status = new Map<string, NodeStatus>();
  const shown: { readonly at: number; readonly left: number | undefined }[] = [];
  let now = 0;
  for (const [index, { id, stage }] of nodes.entries()) {
    const seconds = takes(id.includes("embeddings") ? "embeddings" : stage, index);
    for (let second = 0; second < seconds; second++) {
      status.set(id, {
        id,
        stage,
        state: "running",
        began: now * 1000,
        ...(stage === "evaluate" && { share: second / seconds }),
      });
      const left = steady.update(estimateLeft(nodes, status, expected, 1, (now + second) * 1000), (now + second) * 1000);
      shown.push({ at: now + second, left: left?.seconds });
    }
    now += seconds;
    status.set(id, { id, stage, state: "done", seconds });
  }
  return { shown, end: now };
}

test("the figure comes when it is known well enough, counts all that comes, and does not jump", () => {
  const expected: Readonly<Record<string, number>> = { capture: 10, compress: 20, embeddings: 100, evaluate: 60 };
  const own: Readonly<Record<string, number>> = { capture: 8, compress: 30, embeddings: 130, evaluate: 50 };
  const { shown, end } = shownOf(
    (kind) => expected[kind] ?? 0,
    // some are slow
    (kind, index) => (own[kind] ?? 0) * (index % 7 === 0 ? 2 : 1),
  );
  const first = shown.find(({ left }) => left !== undefined)?.at ?? Infinity;
  assert.ok(first > 5 && first < 0.1 * end, `first after ${first} of ${end} s`);
  let before: number | undefined;
  for (const { at, left } of shown) {
    if (left === undefined) continue;
    assert.ok(Math.abs(left - (end - at)) < 0.25 * end, `${left} at ${at} of ${end} s`);
    assert.ok(before === undefined || left < before + 0.03 * end, `it rose from ${before} to ${left} s`);
    before = left;
  }
  assert.ok((before ?? Infinity) < 10, `${before} s in the last one`);
});

test.run();
