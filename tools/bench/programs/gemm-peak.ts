/**
 * Measures the rate of a product of two square matrices of 2048 in float32 with the library that the project uses, and
 * prints one line of JSON. The best of some tries: what the machine can do.
 *
 * usage: node --conditions=mbs-source --import tsx tools/bench/programs/gemm-peak.ts [THREADS]
 */
import { createBlas } from "@mbs/onnx";

const size = 2048;
const blas = createBlas({ threads: Number(process.argv[2] ?? 2) });
const matrix = { rows: size, columns: size, values: Float32Array.from({ length: size * size }, (_, index) => Math.sin(index)) };
let perSecond = 0;
let perProcessorSecond = 0;
for (let attempt = 0; attempt < 12; attempt += 1) {
  const used = process.cpuUsage();
  const started = performance.now();
  await blas.gemm(matrix, matrix);
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(used);
  perSecond = Math.max(perSecond, (2 * size ** 3) / seconds);
  perProcessorSecond = Math.max(perProcessorSecond, (2 * size ** 3) / ((user + system) / 1e6));
}
await blas.release();
process.stdout.write(`${JSON.stringify({ perSecond, perProcessorSecond })}\n`);
