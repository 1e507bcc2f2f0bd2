import { UsageError, optionTable, parseOptions } from "@mbs/contracts";
import type { Stage, StageOptions } from "@mbs/contracts";

/** The stages by name, as the program that runs the recipe provides them. */
export type Stages = ReadonlyMap<string, Stage>;

/** @throws {UsageError} naming the stage that is missing */
export function stageOf(stages: Stages, name: string): Stage {
  const stage = stages.get(name);
  if (stage === undefined) throw new UsageError(`this program has no stage ${name}`, { stage: name });
  return stage;
}

/** The options of a node with all defaults filled in. @throws {UsageError} as the stage would */
export const completeOptions = async (stage: Stage, options: StageOptions): Promise<StageOptions> =>
  parseOptions(await optionTable(stage, options), options, stage.name);
