import type { Stage } from "@mbs/contracts";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { PlanNode } from "../src/plan/nodes/plan-node.ts";
import { outputsOf } from "../src/run/node-outputs.ts";

const test = suite("node outputs");

type Kind = "checkpoint" | "intermediate" | "final";

/** The stage of a node is named by what its output is. */
const stageOf = ({ stage }: PlanNode): Stage =>
  ({ name: stage, outputs: { output: { kind: "states", description: "", [stage]: true } } }) as unknown as Stage;

const node = (id: string, stage: Kind, reads: readonly string[], more: Partial<PlanNode> = {}): PlanNode => ({
  id,
  stage,
  section: [],
  options: {},
  inputs: { source: reads },
  after: [],
  ...more,
});

/** Two stretches, each from a checkpoint to the next: statistics that are read there, and some that are read later too. */
const nodes: readonly PlanNode[] = [
  node("early", "intermediate", []),
  node("first", "checkpoint", ["early"]),
  node("near", "intermediate", ["first"]),
  node("far", "intermediate", ["first"]),
  node("kept", "intermediate", ["near"]),
  node("result", "intermediate", ["near"], { result: "file.arrow" }),
  node("layers", "final", ["near", "kept"], { affinity: "kept" }),
  node("second", "checkpoint", ["layers", "far", "result"]),
];

const found = outputsOf(nodes, stageOf, ({ id }) => id === "kept");

test("readers are in the order of the plan", () => {
  assert.equal(found.readers.get("near"), ["kept", "result", "layers"]);
  assert.is(found.readers.get("second"), undefined);
});

test("what nothing reads any more is removed, unless it is kept", () => {
  assert.equal([...found.intermediate], ["early", "near", "far", "result"]);
  assert.equal(found.results, ["result"]);
});

test("an output passes where it is needed behind one checkpoint and before the next alone", () => {
  // "early" comes before all checkpoints, "far" is read behind the next one, "result" is copied at the end
  assert.equal([...found.passing], ["near"]);
});

test("an output is followed where the node that goes on from it reads it alone", () => {
  assert.ok(found.followed.has("kept"));
  assert.not.ok(found.followed.has("near"));
});

test.run();
