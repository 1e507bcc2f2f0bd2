import { fileURLToPath } from "node:url";
import { at } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";
import { DeviceFullError, deviceReport, readMatrix } from "@mbs/onnx";
import type { PlacedTensor } from "@mbs/onnx";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { embedStreams, openModel, statesOf } from "../src/index.ts";
import type { BlockCut, Forward, Model } from "../src/index.ts";
import { withHalvedBatches } from "../src/forward/halved-batches.ts";

const fixtures = fileURLToPath(new URL("fixtures/forward/", import.meta.url));

/** Tokens of a segment. */
const lengthOf = (stream: string): number => (stream === "encoder" ? 8 : 6);

/** Batches of another size are multiplied in another order. */
const rounding = 1e-5;

function requireNear(found: Matrix, wanted: Matrix, name: string): void {
  assert.equal([found.rows, found.columns], [wanted.rows, wanted.columns], name);
  const worst = wanted.values.reduce((most, value, index) => Math.max(most, Math.abs(value - at(found.values, index))), 0);
  assert.ok(worst <= rounding, `${name} is off by ${worst}`);
}

interface Walked {
  readonly cut: BlockCut;
  readonly sites: ReadonlyMap<string, Matrix>;
  readonly residuals: ReadonlyMap<string, Matrix>;
  readonly end: Matrix;
}

type Walks = Pick<Forward, "block" | "beginBlock" | "nextSites" | "endBlock">;

/** There is no graphics processor here. */
const inMemory = async (tensor: PlacedTensor): Promise<PlacedTensor> => tensor;

/** Walks the last block. @param between what happens to a cut between two rounds */
async function walk(
  { blocks }: Model,
  forward: Walks,
  states: ReadonlyMap<string, Matrix>,
  batch: number,
  between = (cut: BlockCut): BlockCut => cut,
): Promise<Walked> {
  const index = blocks.length - 1;
  const { stream, sites } = at(blocks, index);
  let cut = await forward.beginBlock(index, statesOf(states, stream), { batch, reads: states });
  const [found, residuals] = [new Map<string, Matrix>(), new Map<string, Matrix>()];
  while (cut.passed.size < sites.length) {
    const next = await forward.nextSites(between(cut));
    ({ cut } = next);
    for (const [name, input] of next.inputs) found.set(name, await readMatrix(input));
    for (const [name, residual] of next.residuals) residuals.set(name, await readMatrix(residual));
  }
  return { cut, sites: found, residuals, end: await forward.endBlock(between(cut)) };
}

/** A forward pass that has no space for more than some segments, from a round on, or in whole blocks. */
function limited(forward: Forward, most: number, from: number): Walks {
  const check = (batch: number, round: number): void => {
    if (batch > most && round >= from) throw new DeviceFullError("there is no space");
  };
  return {
    beginBlock: (index, states, inputs) => forward.beginBlock(index, states, inputs),
    async block(index, states, options = {}) {
      check(options.batch ?? 1, Infinity);
      return forward.block(index, states, options);
    },
    async nextSites(cut, weights) {
      check(cut.batch, cut.round);
      return forward.nextSites(cut, weights);
    },
    async endBlock(cut, weights) {
      check(cut.batch, cut.round);
      return forward.endBlock(cut, weights);
    },
  };
}

// a decoder, experts that read some of the tokens only, a convolution over tokens, an input for each token, a decoder with an encoder
for (const name of ["llama-grouped-f32", "mixtral-f32", "lfm2-f32", "gemma4-per-layer-untied-biases-f32", "t5-relu-tied-f32"]) {
  test(`a block of ${name} gives the same in pieces, wherever a graphics processor was full`, async () => {
    const model = await openModel(`${fixtures}${name}`);
    const forward = await model.forward({ threads: 1 });
    const batch = 5;
    const segments = Array.from(
      { length: batch },
      (_, segment) =>
        new Map(
          model.streams.map((stream) => [
            stream,
            Int32Array.from({ length: lengthOf(stream) }, (_, token) => 3 + segment + token),
          ]),
        ),
    );
    const states = await embedStreams(forward, ...segments);
    const index = model.blocks.length - 1;
    const { stream } = at(model.blocks, index);
    const whole = await walk(model, forward, states, batch);
    const block = await forward.block(index, statesOf(states, stream), { batch, reads: states });
    for (const [most, from] of [
      [2, 0],
      [1, 1],
      [3, Infinity],
      [4, whole.cut.round],
    ] as const) {
      const { lacksOfSpace } = deviceReport();
      const halved = withHalvedBatches(limited(forward, most, from), inMemory);
      // plain values between two rounds: they may wait in a file
      const found = await walk(model, halved, states, batch, (cut) => ({ ...cut, live: new Map(cut.live) }));
      assert.is(deviceReport().lacksOfSpace > lacksOfSpace, from !== Infinity);
      assert.is(found.cut.batch, batch);
      assert.equal([...found.cut.passed].sort(), [...whole.cut.passed].sort());
      assert.equal([...found.cut.used].sort(), [...whole.cut.used].sort());
      for (const [site, input] of whole.sites)
        requireNear(found.sites.get(site) ?? block, input, `${site} after ${most} from ${from}`);
      for (const [site, residual] of whole.residuals)
        requireNear(found.residuals.get(site) ?? block, residual, `residual of ${site}`);
      requireNear(found.end, whole.end, `the end after ${most} from ${from}`);
      requireNear(await halved.block(index, statesOf(states, stream), { batch, reads: states }), block, "the block");
    }
    await forward.close();
    await model.close();
  });
}

test("a graphics processor that has no space for one segment is an error, and what was too large is not tried again", async () => {
  const model = await openModel(`${fixtures}llama-grouped-f32`);
  const forward = await model.forward({ threads: 1 });
  const tokens = Int32Array.from({ length: 24 }, (_, token) => 3 + (token % 9));
  const states = await forward.embed(tokens, 4);
  const none = withHalvedBatches(limited(forward, 0, 0), inMemory);
  for (const work of [
    () => none.block(0, states, { batch: 4 }),
    async () => none.nextSites(await none.beginBlock(0, states, { batch: 4 })),
  ]) {
    try {
      await work();
      assert.unreachable("there was space");
    } catch (error) {
      assert.instance(error, DeviceFullError);
    }
  }
  const tried: number[] = [];
  const two = withHalvedBatches({
    ...forward,
    async block(index, given, options = {}) {
      tried.push(options.batch ?? 1);
      if ((options.batch ?? 1) > 2) throw new DeviceFullError("there is no space");
      return forward.block(index, given, options);
    },
  });
  const block = await two.block(0, states, { batch: 4 });
  assert.equal(await two.block(0, states, { batch: 4 }), block);
  assert.equal(tried, [4, 2, 2, 2, 2]);
  await forward.close();
  await model.close();
});

test.run();
