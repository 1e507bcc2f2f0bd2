import { parseOptions } from "@mbs/contracts";
import type { OptionTable } from "@mbs/contracts";
import { readDistribution } from "@mbs/corpora";
import { optionsToFlags, printText } from "@mbs/host-cli";
import { collectArtifacts, diagnoseArtifacts, diagnosisText } from "@mbs/reporting";
import { Argument } from "commander";
import type { Command } from "commander";
import type { CommandContext } from "../command-entry.ts";
import { openInputs } from "../open-inputs.ts";
import { plainCommand } from "../plain-command.ts";

const options = {
  distribution: {
    kind: "text",
    optional: true,
    placeholder: "NAME",
    description: "training mixture: a preset, a JSON file or a model folder; default the one in the scores",
  },
  reference: { kind: "text", optional: true, placeholder: "LABEL", description: "the dense model in the scores (the first)" },
  json: { kind: "flag", description: "print JSON" },
} as const satisfies OptionTable;

/** `mbs diagnose`: the paper's failure signatures, told from results. */
export function diagnoseCommand({ signal }: CommandContext): Command {
  const command = plainCommand(
    "diagnose",
    "Tell from results what went wrong: a mix worse than English-only, a rare language that still falls, methods that disagree.",
    ["mbs diagnose scores.arrow", "mbs diagnose scores.arrow similarity.arrow segments-*.arrow --json"],
  ).addArgument(
    new Argument("<files...>", "scores, and what explains them: similarity, segments, statistics, errors; - is standard input"),
  );
  for (const flag of optionsToFlags(options)) command.addOption(flag);
  return command.action(async (files: readonly string[]) => {
    const { quiet: _quiet, debug: _debug, ...given } = command.opts<Record<string, unknown>>();
    const { distribution, reference, json } = parseOptions(options, given, "diagnose");
    const shares = distribution === undefined ? undefined : Object.fromEntries((await readDistribution(distribution)).shares);
    const artifacts = await collectArtifacts(await openInputs(files, signal));
    const diagnosis = diagnoseArtifacts(artifacts, { ...(shares && { shares }), ...(reference !== undefined && { reference }) });
    await printText(json ? `${JSON.stringify(diagnosis, null, 2)}\n` : diagnosisText(diagnosis));
  });
}
