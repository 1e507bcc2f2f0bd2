import { performance } from "node:perf_hooks";
import { parseMetadata } from "@mbs/artifacts";
import { InternalError } from "@mbs/contracts";
import type { StageContext } from "@mbs/contracts";
import type { Plan } from "../plan.ts";
import { stageOf } from "../stage-options.ts";
import type { Stages } from "../stage-options.ts";

/** What drawing the segments took. */
export interface DrawnSample {
  readonly languages: number;
  readonly seconds: number;
}

/**
 * Draws the segments of a plan and keeps none: a language that has too little text, or none of the mix, shows now as it
 * would in the run.
 *
 * @throws as the stage
 */
export async function drawSample(plan: Plan, stages: Stages, context: StageContext): Promise<DrawnSample> {
  const node = plan.nodes.find(({ stage }) => stage === "sample");
  if (node === undefined) throw new InternalError("a plan without a sample");
  const started = performance.now();
  const { segments } = await stageOf(stages, node.stage).run({}, node.options, context);
  if (segments === undefined) throw new InternalError("stage sample made no segments");
  for await (const _ of segments.batches) continue;
  const { counts } = parseMetadata("segments", segments.schema);
  return { languages: Object.keys(counts).length, seconds: (performance.now() - started) / 1000 };
}
