/**
 * The search of one weight's grids, 1024×1024, 3 bits in groups of 64, against the usual search in torch and our plain form, one
 * thread, in one run:
 * `node --conditions=mbs-source --import tsx tools/bench/grid-search.ts --python PYTHON_WITH_TORCH`
 */
import { createGridFitter, fitGridReference, naturalOrder, transposeInOrder } from "@mbs/numbers";
import { randomValues } from "./random-problem.ts";
import { fastest, runPeer } from "./torch-peer.ts";

const size = 1024;
const groupSize = 64;
const grid = { kind: "groups", bits: 3, groupSize, zeroPoints: "any" } as const;
const rule = { grid, search: "error", scaleDtype: "f32" } as const;
const weight = randomValues(size * size, 5);
const transposed = transposeInOrder(weight, size, size, naturalOrder(size));
const fit = createGridFitter(groupSize, size, rule);

const scalesBy = (fitGroup: typeof fit): Float32Array => {
  const scales = new Float32Array((size * size) / groupSize);
  for (let group = 0; group < size / groupSize; group += 1) {
    const panel = transposed.subarray(group * groupSize * size, (group + 1) * groupSize * size);
    scales.set(fitGroup(panel).scales, group * size);
  }
  return scales;
};
const fast = (): Promise<Float32Array> => Promise.resolve(scalesBy(fit));
const plain = (): Promise<Float32Array> => Promise.resolve(scalesBy((panel) => fitGridReference(panel, size, rule)));

const ours = await fastest(10, fast);
const peer = runPeer("grid-search.py", size, [weight]);
const again = Math.min(ours, await fastest(10, fast));
const slow = await fastest(3, plain);
const equal = (await fast()).reduce((count, value, index) => count + Number(value === peer.output[index]), 0);
console.log(
  `grid search ${size}×${size}: ours ${again.toFixed(1)} ms, torch ${peer.milliseconds.toFixed(1)} ms, ` +
    `${(peer.milliseconds / again).toFixed(1)}× as fast; plain ${slow.toFixed(0)} ms; ` +
    `${((100 * equal) / peer.output.length).toFixed(3)}% of the scales equal`,
);
