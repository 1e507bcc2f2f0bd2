import { parseMetadata } from "@mbs/artifacts";
import { InternalError } from "@mbs/contracts";
import type { StageContext } from "@mbs/contracts";
import type { Plan } from "../plan/nodes/plan-node.ts";
import type { SampleSize } from "./disk.ts";
import { processorSeconds } from "./probes/timing.ts";
import { sum } from "./sum.ts";
import { stageOf } from "../plan/known-stages.ts";
import type { Stages } from "../plan/known-stages.ts";

/** A sample that was drawn. */
export interface DrawnSample extends SampleSize {
  /** Processor time of drawing it. */
  readonly seconds: number;
}

/**
 * Draws the segments of a plan and discards them, so that an estimate fails as the run would where a language has too little
 * text or none.
 *
 * @throws as the stage
 */
export async function drawSample(plan: Plan, stages: Stages, context: StageContext): Promise<DrawnSample> {
  // every plan begins with the stage that draws segments
  const [node] = plan.nodes;
  if (node === undefined) throw new InternalError("a plan without nodes");
  const before = processorSeconds();
  const { segments } = await stageOf(stages, node.stage).run({}, node.options, context);
  if (segments === undefined) throw new InternalError(`stage ${node.stage} made no segments`);
  for await (const _ of segments.batches) continue;
  const { counts, length } = parseMetadata("segments", segments.schema);
  const drawn = Object.values(counts).filter((count) => count > 0);
  return {
    segments: sum(drawn, (count) => count),
    length,
    languages: drawn.length,
    seconds: processorSeconds() - before,
  };
}
