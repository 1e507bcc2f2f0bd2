import type { ArtifactStream } from "@mbs/contracts";
import type { AllocationMetadata } from "../metadata.ts";
import type { StepAllocation } from "../records.ts";
import { encodeRows, readRows, type Items } from "../rows.ts";

/** Allocation → artifact, a row a step. */
export const encodeAllocation = (items: Items<StepAllocation>, metadata: AllocationMetadata): ArtifactStream =>
  encodeRows("allocation", metadata, items);

/** The steps of an allocation, in order. */
export const readAllocation = (stream: ArtifactStream): AsyncIterable<StepAllocation> => readRows("allocation", stream);
