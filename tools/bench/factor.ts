/**
 * The factor of the inverse against LAPACK, one thread, in one run:
 * `node --conditions=mbs-source --import tsx tools/bench/factor.ts --python PYTHON_WITH_TORCH`
 */
import { at } from "@mbs/contracts";
import { inverseFactor } from "@mbs/numbers";
import { createBlas } from "@mbs/onnx";
import { randomHessian } from "./random-problem.ts";
import { fastest, runPeer } from "./torch-peer.ts";

const blas = createBlas({ threads: 1 });
for (const size of [1024, 4096]) {
  const hessian = await randomHessian(blas, size);
  const runs = size <= 1024 ? 7 : 3;
  const ours = await fastest(runs, () => inverseFactor(blas, hessian.slice(), size));
  const upper = await inverseFactor(blas, hessian.slice(), size);
  const peer = runPeer("factor.py", size, [hessian]);
  // a second time, after the peer, so that neither profits from a quiet moment
  const again = Math.min(ours, await fastest(runs, () => inverseFactor(blas, hessian.slice(), size)));
  const difference = upper.reduce((worst, value, index) => Math.max(worst, Math.abs(value - at(peer.output, index))), 0);
  const largest = peer.output.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  console.log(
    `factor ${size}: ours ${again.toFixed(1)} ms, LAPACK ${peer.milliseconds.toFixed(1)} ms, ` +
      `${(peer.milliseconds / again).toFixed(2)}× as fast; largest relative difference ${(difference / largest).toExponential(1)}`,
  );
}
await blas.release();
