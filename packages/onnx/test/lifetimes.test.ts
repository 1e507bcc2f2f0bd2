import { at } from "@mbs/contracts";
import type { Device } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { canCount, CountingDevice } from "../../../tools/test/counting-device.ts";
import {
  constantTensor,
  createMomentKernel,
  createSession,
  deviceMatrix,
  floatTensor,
  freeTensor,
  GraphBuilder,
  holdTensor,
  isOnDevice,
} from "../src/index.ts";

const counted = canCount ? test : (name: string): void => test.skip(name);
const device = new CountingDevice();

const values = (length: number): Float32Array => Float32Array.from({ length }, (_, index) => (index % 7) - 3);

/** What work makes with a fault in each of its runs in turn. */
const withEachFault = async <Made extends object>(fault: "full" | "lost", work: () => Promise<Made>) =>
  (await device.withFaults(fault, 1, work)).slice(0, -1);

/** Sums of states that are there, and of some that are not. */
async function sums(width: number, on: Device = "webgpu"): Promise<readonly [Float32Array, Float32Array]> {
  const rows = 6;
  const kernel = createMomentKernel({ threads: 1, device: on });
  const here = { rows, columns: width, values: values(rows * width) };
  const copy = floatTensor(here.values.slice(), [rows, width]);
  const there = on === "cpu" ? copy : await holdTensor(copy);
  try {
    const states = isOnDevice(there) ? deviceMatrix(there, width) : here;
    const [gram, cross] = [kernel.gram(width), kernel.cross(width)];
    for (const own of [states, here]) {
      await gram.add(own);
      await cross.add(own, here);
    }
    await gram.settle();
    const mean = gram.mean(2 * rows);
    gram.clear();
    await gram.add(states);
    return [mean, await cross.take()];
  } finally {
    freeTensor(there);
    await kernel.release();
  }
}

counted("each sum of moments is freed once, also where a product finds no space, or no device", async () => {
  // what has found no space once is not tried with as many tokens again: each time sums of another width
  let width = 4;
  const each = async () => {
    width += 1;
    return { found: await sums(width), wanted: await sums(width, "cpu") };
  };
  const made = await withEachFault("full", each);
  const whole = made.filter((own) => own !== undefined);
  // whole numbers, which are exact in any order
  for (const { found, wanted } of whole) assert.equal(found, wanted, "less at a time gives the same");
  // three copies back have nothing to make way for them
  assert.ok(whole.length >= 10 && made.length - whole.length <= 3, `${whole.length} of ${made.length}`);
  assert.ok((await withEachFault("lost", each)).every((own) => own === undefined));
});

/** A graph of two outputs, which reads two constants and what is there. */
async function runs(): Promise<readonly Float32Array[]> {
  const graph = new GraphBuilder("two outputs", { device: "webgpu" });
  const [x, v, w] = ["x", "v", "w"].map((name) => graph.input(name, "float32", [2, 2])) as [string, string, string];
  graph.output("sum", graph.node("Add", [x, v]), "float32", [2, 2]);
  graph.output("product", graph.node("Mul", [x, w]), "float32", [2, 2]);
  const session = await createSession(graph.build(), { threads: 1, device: "webgpu", keepsOutputs: true });
  try {
    const given = await holdTensor(floatTensor(values(4), [2, 2]));
    try {
      const feeds = { x: given, v: constantTensor(values(4), [2, 2]), w: constantTensor(values(4), [2, 2]) };
      const made = await session.run(feeds);
      return ["sum", "product"].map((name) => made[name]?.data as Float32Array);
    } finally {
      freeTensor(given);
    }
  } finally {
    await session.release();
  }
}

counted("what a run has brought there and made there is freed, whichever of its copies fails", async () => {
  const wanted = await runs();
  assert.is(device.left, 0);
  // one fault of a copy back is one too many
  const made = await withEachFault("full", runs);
  assert.equal(at(made, 0), wanted);
  assert.ok((await withEachFault("lost", runs)).slice(1).every((own) => own === undefined));
});

test.run();
