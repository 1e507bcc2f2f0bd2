import type { ArtifactStream } from "@mbs/contracts";
import { formatSeconds, stageCommand } from "@mbs/host-cli";
import type { MixCost } from "@mbs/mix-recommendation";
import type { Command } from "commander";
import type { CommandContext } from "./plain-command.ts";
import { host } from "../host.ts";
import { mixesReportOf } from "../results/presenters.ts";
import { loadMix } from "../stages.ts";

/** What the search took against one compression, in words. */
const costText = ({ trials, seconds, compression }: MixCost): string =>
  `The ${trials} mixes took ${formatSeconds(seconds)}: as much as ${(seconds / compression).toFixed(1)} compressions (factor and compress) of ${compression.toFixed(1)} s from the same capture.`;

/** `mbs mix`: the stage, with what it took beside its result. Times are in no artifact: they differ from run to run. */
export async function mixCommand({ argv, signal }: CommandContext): Promise<Command> {
  let cost: MixCost | undefined;
  const stage = await loadMix((measured) => (cost = measured));
  const presenter = {
    async table(stream: ArtifactStream) {
      const { mixesTable } = await import("@mbs/reporting");
      return mixesTable(await mixesReportOf(stream), cost ? [costText(cost)] : []);
    },
    async json(stream: ArtifactStream) {
      return {
        ...(await mixesReportOf(stream)),
        ...(cost && { cost: { ...cost, compressions: cost.seconds / cost.compression } }),
      };
    },
  };
  return stageCommand(stage, { ...host, presenters: { ...host.presenters, mixes: presenter } }, argv, signal);
}
