import type { Stage } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { replayCommand } from "../src/run/replay-command.ts";

const stage = (changes: Partial<Stage>): Stage => ({
  name: "capture",
  summary: "",
  examples: [],
  inputs: {},
  outputs: { statistics: { kind: "statistics", description: "" } },
  options: {},
  run: () => Promise.reject(new Error("not run")),
  ...changes,
});

const input = { kinds: ["states"], description: "" };

test("reads the first input from standard input and names the others", () => {
  const line = replayCommand(stage({ inputs: { source: input, layers: { ...input, many: true } } }), {
    table: {},
    options: {},
    inputs: { source: ["a.arrow"], layers: ["b.arrow", "c.arrow"] },
    output: "o.arrow",
    threads: 2,
  });
  assert.is(line, "mbs capture --layers b.arrow --layers c.arrow --threads 2 < a.arrow > o.arrow");
});

test("names the device where that is not the processor", () => {
  const node = { table: {}, options: {}, inputs: {}, output: "o", threads: 1, device: "webgpu" } as const;
  assert.is(replayCommand(stage({}), node), "mbs capture --threads 1 --device webgpu > o");
});

test("asks for standard input where a stage can do without its first input", () => {
  const evaluate = stage({ name: "evaluate", inputs: { lastStates: { ...input, optional: true } } });
  const node = { table: {}, options: {}, output: "o", threads: 1 };
  assert.is(replayCommand(evaluate, { ...node, inputs: { lastStates: ["a"] } }), "mbs evaluate - --threads 1 < a > o");
  assert.is(replayCommand(evaluate, { ...node, inputs: {} }), "mbs evaluate --threads 1 > o");
});

test("names all but the first of a many-to-one input, and a folder as output", () => {
  const assemble = stage({
    name: "assemble",
    inputs: { layers: { ...input, many: true } },
    outputs: { files: { kind: "files", description: "", folder: true } },
  });
  const line = replayCommand(assemble, {
    table: {},
    options: {},
    inputs: { layers: ["a", "b"] },
    output: "model/",
    threads: 1,
  });
  assert.is(line, "mbs assemble - --layers b --threads 1 --output model/ < a");
});

test("writes every kind of option as its command reads it, quoted for a shell", () => {
  const line = replayCommand(stage({}), {
    table: {
      model: { kind: "resource", resource: "model", many: true, description: "" },
      site: { kind: "list", description: "" },
      floor: { kind: "flag", description: "" },
      fast: { kind: "flag", default: true, description: "" },
      sure: { kind: "flag", default: true, description: "" },
      bare: { kind: "flag", description: "" },
      even: { kind: "flag", optional: true, description: "" },
      odd: { kind: "flag", optional: true, description: "" },
    },
    options: {
      model: ["my model", "it's"],
      site: ["a", "b"],
      floor: true,
      fast: false,
      sure: true,
      bare: false,
      even: false,
      odd: true,
      groupSize: 64,
      left: undefined,
    },
    inputs: {},
    output: "o",
    threads: 1,
  });
  assert.is(
    line,
    `mbs capture --model 'my model' --model 'it'\\''s' --site a,b --floor --no-fast --no-even --odd --group-size 64 --threads 1 > o`,
  );
});

test.run();
