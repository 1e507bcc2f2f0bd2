import { parseOptions } from "@mbs/contracts";
import type { OptionTable } from "@mbs/contracts";
import { openCorpus, readDistribution } from "@mbs/corpora";
import { createReporter, forbidNetwork, offlineOption, optionsToFlags, printText, progressStyle } from "@mbs/host-cli";
import { compareWithLosses, textBytes, textEntropies } from "@mbs/language-distribution";
import { collectArtifacts, diagnoseArtifacts, diagnosisText } from "@mbs/reporting";
import type { CompareShares } from "@mbs/reporting";
import { Argument } from "commander";
import type { Command } from "commander";
import { openInputs } from "./open-inputs.ts";
import { plainCommand } from "./plain-command.ts";
import type { CommandContext } from "./plain-command.ts";

const options = {
  distribution: {
    kind: "text",
    optional: true,
    placeholder: "NAME",
    description: "training mixture: a preset, a JSON file or a model folder; default the one in the scores",
  },
  reference: { kind: "text", optional: true, placeholder: "LABEL", description: "the dense model in the scores (the first)" },
  corpus: {
    kind: "resource",
    resource: "corpus",
    optional: true,
    description: "texts of the scored languages, to compare the training mixture with the losses of the dense model",
  },
  json: { kind: "flag", description: "print JSON" },
  offline: offlineOption,
} as const satisfies OptionTable;

const numbers = (values: Readonly<Record<string, number>>): ReadonlyMap<string, number> => new Map(Object.entries(values));

/** Compares shares with losses by how hard the texts of a corpus are. */
async function comparisonBy(path: string, quiet: boolean, signal: AbortSignal): Promise<CompareShares> {
  const reporter = createReporter("mbs diagnose", progressStyle(quiet));
  try {
    const corpus = await openCorpus(path, { warn: reporter.warn, signal, progress: reporter.progress });
    const entropies = await textEntropies(corpus, textBytes, signal);
    return (shares, losses) => compareWithLosses(numbers(shares), numbers(losses), entropies);
  } finally {
    reporter.stop();
  }
}

/** `mbs diagnose`: the paper's failure signatures, looked for in results. */
export function diagnoseCommand({ signal }: CommandContext): Command {
  const command = plainCommand(
    "diagnose",
    "Find out from results what went wrong: a mix worse than English-only, a rare language that still falls, methods that disagree, training shares that do not fit the losses.",
    [
      "mbs diagnose scores.arrow",
      "mbs diagnose scores.arrow similarity.arrow segments-*.arrow --json",
      "mbs diagnose scores.arrow --corpus heldout.yaml",
    ],
  ).addArgument(
    new Argument("<files...>", "scores, and what explains them: similarity, segments, statistics, damage; - is standard input"),
  );
  for (const flag of optionsToFlags(options)) command.addOption(flag);
  return command.action(async (files: readonly string[]) => {
    const { quiet = false, debug: _debug, ...given } = command.opts<{ quiet?: boolean; debug?: boolean }>();
    const { distribution, reference, corpus, json, offline } = parseOptions(options, given, "diagnose");
    if (offline) forbidNetwork();
    const shares = distribution === undefined ? undefined : Object.fromEntries((await readDistribution(distribution)).shares);
    const artifacts = await collectArtifacts(await openInputs(files, signal));
    const view = { ...(shares && { shares }), ...(reference !== undefined && { reference }) };
    const compareShares = corpus === undefined ? undefined : await comparisonBy(corpus, quiet, signal);
    const diagnosis = diagnoseArtifacts(artifacts, view, compareShares);
    await printText(json ? `${JSON.stringify(diagnosis, null, 2)}\n` : diagnosisText(diagnosis));
  });
}
