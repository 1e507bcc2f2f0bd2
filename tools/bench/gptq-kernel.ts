/**
 * GPTQ's solve of one weight, 1024×1024, block 128, against the usual loop in torch, one thread, in one run:
 * `node --conditions=mbs-source --import tsx tools/bench/gptq-kernel.ts --python PYTHON_WITH_TORCH`
 */
import { inverseFactor, naturalOrder, restoreOrder, transposeInOrder, walkColumns } from "@mbs/numbers";
import { createBlas } from "@mbs/onnx";
import { randomHessian, randomValues } from "./random-problem.ts";
import { fastest, runPeer } from "./torch-peer.ts";

const size = 1024;
const maximum = 15;
const blas = createBlas({ threads: 1 });
const upper = await inverseFactor(blas, await randomHessian(blas, size), size);
const weight = randomValues(size * size, 5);
const order = naturalOrder(size);

/** From W to the dequantised weight, transposing there and back included. */
async function solve(): Promise<Float32Array> {
  const scales = Float32Array.from({ length: size }, (_, row) => {
    const largest = weight.subarray(row * size, (row + 1) * size).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    return Math.fround(2 * largest) / maximum;
  });
  const grid = { scales, zeros: new Float32Array(size).fill((maximum + 1) / 2), maximum };
  const transposed = transposeInOrder(weight, size, size, order);
  const weights = { rows: size, columns: size, values: transposed };
  await walkColumns(blas, { weights, upper, blockSize: 128 }, (block) => {
    block.fix(0, block.columns, { grid });
  });
  return restoreOrder(transposed, size, size, order);
}

const ours = await fastest(20, solve);
const peer = runPeer("gptq-kernel.py", size, [weight, upper]);
const again = Math.min(ours, await fastest(20, solve));
const result = await solve();
const equal = result.reduce((count, value, index) => count + Number(value === peer.output[index]), 0) / result.length;
console.log(
  `gptq ${size}×${size}: ours ${again.toFixed(1)} ms, torch ${peer.milliseconds.toFixed(1)} ms, ` +
    `${(peer.milliseconds / again).toFixed(2)}× as fast; ${(100 * equal).toFixed(3)}% of the weights equal`,
);
await blas.release();
