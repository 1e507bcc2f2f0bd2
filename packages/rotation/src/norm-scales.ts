import { at, FailedPreconditionError } from "@mbs/contracts";
import type { ArchitectureModel, NormTensors } from "@mbs/models";

/** Below this share of the largest, the weight of a norm leaves nothing of its channel that could be divided by it. */
const nearZero = 1e-6;

/** A bias this many times the norm's weight would drown its channel in the rounding of float32 once channels are mixed. */
const largestRatio = 1000;

/** What a norm multiplies channels with: stored weight and offset. */
export async function normScales({ readWeight }: ArchitectureModel, { weight, offset }: NormTensors): Promise<Float64Array> {
  return Float64Array.from(await readWeight(weight), (value) => value + offset);
}

/**
 * 1 / scale of every channel of a norm.
 *
 * @throws {FailedPreconditionError} naming the first channel whose scale is near zero
 */
export function inverseScales(scales: Float64Array, { weight }: NormTensors): Float64Array {
  const most = scales.reduce((largest, scale) => Math.max(largest, Math.abs(scale)), 0);
  const channel = scales.findIndex((scale) => !(Math.abs(scale) > nearZero * most));
  if (channel >= 0) {
    throw new FailedPreconditionError(
      `${weight} has ${at(scales, channel)} in channel ${channel}, too near zero to divide by: statistics behind this norm cannot be rotated; capture them from the rotated model`,
      { tensor: weight, channel },
    );
  }
  return scales.map((scale) => 1 / scale);
}

/**
 * The bias of a norm whose weight is folded into what reads it: bias / scale, since the readers multiply by the scale.
 *
 * @throws {FailedPreconditionError} naming the first channel whose scale is too small beside its bias
 */
export function foldedBias(bias: Float32Array, scales: Float64Array, { weight }: NormTensors): Float32Array {
  const channel = bias.findIndex((value, index) => Math.abs(value) > largestRatio * Math.abs(at(scales, index)));
  if (channel >= 0) {
    throw new FailedPreconditionError(
      `${weight} has ${at(scales, channel)} in channel ${channel}, too near zero beside its bias ${at(bias, channel)} to be folded into weights; give --stream none`,
      { tensor: weight, channel },
    );
  }
  // no bias needs no division, whatever the scale
  return bias.map((value, index) => (value === 0 ? 0 : value / at(scales, index)));
}
