import { BadDataError, type ArtifactStream } from "@mbs/contracts";
import { parseMetadata, type AllocationMetadata } from "../kinds/metadata.ts";
import type { StepAllocation } from "../kinds/records.ts";
import { encodeRows, readRows, type Items } from "../rows/rows.ts";
import { soundRows } from "./checks/sound-rows.ts";

/** Allocation → artifact, a row a step. */
export const encodeAllocation = (items: Items<StepAllocation>, metadata: AllocationMetadata): ArtifactStream =>
  encodeRows("allocation", metadata, items);

/** What the mean of the steps may differ from the asked sparsity by: float64 sums. */
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
 * @throws {BadDataError} on a step that comes twice, numbers that cannot be, or sparsities whose mean is not the one asked for
 */
export function readAllocation(stream: ArtifactStream): AsyncIterable<StepAllocation> {
  const rows = readRows("allocation", stream);
  const { sparsity: asked } = parseMetadata("allocation", stream.schema);
  const sound = soundRows(rows, {
    least: { parameters: 1, importance: -Infinity, sparsity: 0 },
    fault: ({ sparsity }) => (sparsity > 1 ? `sparsity is ${sparsity}, more than all` : undefined),
    name: ({ step }) => `allocation: step ${step}`,
    remedy: "allocate again",
  });
  return requireAllocation(sound, asked);
}
