import { BadDataError, type ArtifactStream } from "@mbs/contracts";
import { parseMetadata, type AllocationMetadata } from "../kinds/metadata.ts";
import type { StepAllocation } from "../kinds/records.ts";
import { encodeRows, readRows, type Items } from "../rows/rows.ts";
import { checkedRows } from "./checks/checked-rows.ts";

/** Allocation → artifact, a row a step. */
export const encodeAllocation = (items: Items<StepAllocation>, metadata: AllocationMetadata): ArtifactStream =>
  encodeRows("allocation", metadata, items);

/** How far the mean of the steps may be from the requested sparsity: rounding of float64 sums. */
const roundingOfMean = 1e-6;

async function* requireAllocation(steps: AsyncIterable<StepAllocation>, asked: number): AsyncGenerator<StepAllocation> {
  const seen = new Set<string>();
  let [parameters, removed] = [0, 0];
  for await (const allocation of steps) {
    const { step } = allocation;
    if (seen.has(step)) throw new BadDataError(`allocation: step ${step} comes twice; allocate again`, { step });
    seen.add(step);
    parameters += allocation.parameters;
    removed += allocation.parameters * allocation.sparsity;
    yield allocation;
  }
  if (parameters === 0 || Math.abs(removed / parameters - asked) <= roundingOfMean) return;
  throw new BadDataError(`allocation: its steps lose ${removed / parameters} of all weights, not ${asked}; allocate again`, {
    asked,
  });
}

/**
 * The steps of an allocation, in order.
 *
 * @throws {BadDataError} on a step that comes twice, invalid numbers, or sparsities whose mean is not the requested one
 */
export function readAllocation(stream: ArtifactStream): AsyncIterable<StepAllocation> {
  const rows = readRows("allocation", stream);
  const { sparsity: asked } = parseMetadata("allocation", stream.schema);
  const sound = checkedRows(rows, {
    least: { parameters: 1, importance: -Infinity, sparsity: 0 },
    fault: ({ sparsity }) => (sparsity > 1 ? `sparsity is ${sparsity}, above 1` : undefined),
    name: ({ step }) => `allocation: step ${step}`,
    remedy: "allocate again",
  });
  return requireAllocation(sound, asked);
}
