/**
 * What one block copies to the graphics processor and back, and where its products run, as a table for docs/graphics.md:
 *
 *     node --conditions=mbs-source --import tsx tools/bench/device-trace.ts MODEL
 *
 * It counts; it takes no times, which mean nothing where a program does the work of a graphics processor.
 */
import { argv, stdout } from "node:process";
import { at, formatBytes, noDeviceReport } from "@mbs/contracts";
import type { Device, DeviceReport } from "@mbs/contracts";
import { openModel } from "@mbs/models";
import type { Block, Model } from "@mbs/models";
import { createMomentKernel, deviceReport } from "@mbs/onnx";

const [segments, length] = [4, 64];
const tokens = segments * length;
const batches = 2;

/** A part of the work. */
interface Step {
  readonly name: string;
  /** Operations of its large products. */
  readonly operations: number;
  /** What was copied for it, in each batch. */
  readonly copied: DeviceReport[];
}

interface Trace {
  readonly steps: readonly Step[];
  /** By site. */
  readonly grams: ReadonlyMap<string, Float32Array>;
}

/** Operations of the products by the weights that read some sites. */
const operationsOf = ({ sites }: Block, names: Iterable<string>): number => {
  const read = new Set(names);
  return sites
    .filter(({ name }) => read.has(name))
    .flatMap(({ width, weights }) => weights.map(({ rows }) => 2 * tokens * rows * width))
    .reduce((sum, own) => sum + own, 0);
};

/** Walks the first block over some batches and sums the Gram of each site, as `capture` does. */
async function trace(model: Model, device: Device): Promise<Trace> {
  const forward = await model.forward({ threads: 1, device });
  const kernel = createMomentKernel({ threads: 1, device });
  const block = at(model.blocks, 0);
  const sums = new Map(block.sites.map(({ name, width }) => [name, kernel.gram(width)]));
  const steps = new Map<string, Step>();
  const counted = async <Made>(name: string, operations: number, work: () => Promise<Made>): Promise<Made> => {
    const before = deviceReport();
    const made = await work();
    const step = steps.get(name) ?? { name, operations, copied: [] };
    step.copied.push(deviceReport(before));
    steps.set(name, step);
    return made;
  };
  for (let batch = 0; batch < batches; batch += 1) {
    const ids = Int32Array.from({ length: tokens }, (_, token) => 10 + ((7919 * (token + batch * tokens)) % 1000));
    const states = await forward.embed(ids, segments);
    let cut = await counted("states before the block", 0, () => forward.beginBlock(0, states, { batch: segments }));
    let before: readonly string[] = [];
    while (cut.passed.size < block.sites.length) {
      const begun = cut;
      const next = await counted(`part ${cut.round + 1} of the block`, operationsOf(block, before), () =>
        forward.nextSites(begun),
      );
      ({ cut } = next);
      before = [...next.inputs.keys()];
      for (const [name, input] of next.inputs) {
        const { columns: width } = input;
        await counted(`Gram of ${name}`, tokens * width * (width + 1), async () => sums.get(name)?.add(input));
      }
    }
    const last = cut;
    await counted(`part ${cut.round + 1} of the block`, operationsOf(block, before), () => forward.endBlock(last));
  }
  const grams = new Map<string, Float32Array>();
  for (const [name, sum] of sums) {
    await counted(`Gram of ${name}, at the end`, 0, () => sum.settle());
    grams.set(name, sum.mean(batches * tokens));
  }
  await kernel.release();
  await forward.close();
  return { steps: [...steps.values()], grams };
}

const copies = (count: number, bytes: number): string => (count === 0 ? "–" : `${formatBytes(bytes)} in ${count}`);

function row({ name, operations, copied: [first = noDeviceReport, second] }: Step): string {
  const there = [first, ...(second === undefined ? [] : [second])].map((own) => copies(own.uploads, own.uploadedBytes));
  const back = copies(first.downloads, first.downloadedBytes);
  const work = operations === 0 ? "–" : `${(operations / 1e9).toFixed(2)} · 10⁹`;
  return `| ${name} | ${work} | ${there[0] ?? "–"} | ${there[1] ?? "–"} | ${back} |`;
}

/** The largest difference of two Grams of a site, as a share of its largest value. */
function farthest(one: Trace, other: Trace): number {
  const distances = [...one.grams].map(([name, values]) => {
    const others = other.grams.get(name) ?? new Float32Array(values.length);
    const [largest, off] = values.reduce<readonly [number, number]>(
      ([most, worst], value, index) => [Math.max(most, Math.abs(value)), Math.max(worst, Math.abs(value - at(others, index)))],
      [0, 0],
    );
    return off / largest;
  });
  return Math.max(...distances);
}

const [, , path = "datasets/controlled-llama"] = argv;
const model = await openModel(path);
const own = await trace(model, "cpu");
const device = await trace(model, "webgpu");
await model.close();
const all = deviceReport();
if (own.steps.some(({ copied }) => copied.some(({ uploads }) => uploads > 0))) throw new Error("the processor copied something");
stdout.write(
  `| step, ${segments} × ${length} tokens | operations | there, first batch | there, second batch | back, each batch |\n`,
);
stdout.write("|---|---|---|---|---|\n");
for (const step of device.steps) stdout.write(`${row(step)}\n`);
stdout.write(
  `\nIn all ${copies(all.uploads, all.uploadedBytes)} there, ${copies(all.downloads, all.downloadedBytes)} back. ` +
    `On the processor the same steps copy nothing. Grams differ by ${farthest(own, device).toExponential(1)} of their largest value at the most. ` +
    `${all.splitGraphs.length === 0 ? "All products ran on the graphics processor." : `On the processor ran parts of ${all.splitGraphs.join(", ")}.`}\n`,
);
