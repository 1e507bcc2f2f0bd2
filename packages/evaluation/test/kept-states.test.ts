import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { at, BadDataError } from "@mbs/contracts";
import { failure } from "@mbs/contracts/testing";
import { openModel } from "@mbs/models";
import type { Forward, Model } from "@mbs/models";
import { writeTinyModel } from "@mbs/models/testing";
import { DeviceFullError, deviceReport, readMatrix } from "@mbs/onnx";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { PassageWindow } from "../src/passage-windows.ts";
import { chunksOf, runChunk } from "../src/run-windows.ts";

const test = suite("states that stay where the blocks run");

let folder = "";
let model: Model;

test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), "mbs-kept-states-"));
  await writeTinyModel(folder, { seed: 2, blocks: 3 });
  model = await openModel(folder);
});

test.after(async () => {
  await model.close();
  await rm(folder, { recursive: true, force: true });
});

const windowOf = (window: number): PassageWindow => {
  const tokens = Int32Array.from({ length: 16 }, (_, token) => 4 + ((token * 5 + window * 11) % 200));
  const passage = { inputs: new Map([["hidden", tokens]]), scored: tokens, first: 1, predicted: tokens.subarray(1) };
  return { language: "en", source: "", window, passage, bytes: 16 };
};

/** A forward pass on the processor, as if a graphics processor kept the states. */
const keeping = (forward: Forward, change: (block: number, values: Float32Array) => Float32Array): Forward => ({
  ...forward,
  async keptBlock(index, states, { batch = 1 }) {
    const made = await forward.block(index, await readMatrix(states), { batch });
    return { ...made, values: change(index, made.values) };
  },
});

async function run(forward: Forward): Promise<readonly Float32Array[]> {
  const [chunk] = chunksOf(
    Array.from({ length: 70 }, (_, window) => windowOf(window)),
    model.stateWidth,
  );
  assert.ok(chunk && chunk.length > 1, "there are several batches");
  const scored = { model, label: "dense", activations: "float32" } as const;
  const ended = await runChunk(forward, scored, chunk, { signal: new AbortController().signal, report: () => undefined });
  return ended.map(({ states }) => states.values);
}

test("the states after the last block are those that the blocks give one by one", async () => {
  const forward = await model.forward({ threads: 1 });
  let kept = 0;
  const count = (_: number, values: Float32Array): Float32Array => {
    kept += 1;
    return values;
  };
  assert.equal(await run(keeping(forward, count)), await run(forward));
  assert.ok(kept > 0);
  await forward.close();
});

test("where they have no space the blocks run one by one, and it is not tried again", async () => {
  const forward = await model.forward({ threads: 1 });
  let tried = 0;
  const full = keeping(forward, (block, values) => {
    tried += 1;
    if (block === 1) throw new DeviceFullError("there is no space");
    return values;
  });
  const before = deviceReport();
  const wanted = await run(forward);
  assert.equal(await run(full), wanted);
  const first = tried;
  assert.equal(await run(full), wanted);
  assert.is(tried, first);
  assert.is(deviceReport(before).lacksOfSpace, 1);
  await forward.close();
});

const broken = (block: number, values: Float32Array): Float32Array => (block === 1 ? values.map(() => NaN) : values);

test("states that are not finite are looked for block by block", async () => {
  const forward = await model.forward({ threads: 1 });
  const name = at(model.blocks, 1).name;
  const both: Forward = {
    ...keeping(forward, broken),
    async block(index, states, options) {
      const made = await forward.block(index, states, options);
      return { ...made, values: broken(index, made.values) };
    },
  };
  const error = await failure(() => run(both));
  assert.instance(error, BadDataError);
  assert.match(String(error), new RegExp(`dense, ${name}, stream hidden: NaN in en window 0`));
  await forward.close();
});

test.run();
