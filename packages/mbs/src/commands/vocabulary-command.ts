import { parseOptions, UsageError } from "@mbs/contracts";
import type { OptionTable } from "@mbs/contracts";
import { openCorpus } from "@mbs/corpora";
import { createReporter, forbidNetwork, offlineOption, optionsToFlags, printText, progressStyle } from "@mbs/host-cli";
import { openModel } from "@mbs/models";
import { reportVocabulary, trimmingOptions } from "@mbs/trimming";
import type { Command } from "commander";
import { vocabularyTable } from "../results/vocabulary-table.ts";
import { plainCommand } from "./plain-command.ts";
import type { CommandContext } from "./plain-command.ts";

const { model, corpus, ...others } = trimmingOptions;

const options = {
  model,
  corpus,
  keep: {
    kind: "list",
    placeholder: "LANG,…",
    optional: true,
    description: "languages to keep: shows what mbs trim would remove for them, and what that does to texts of all languages",
  },
  heldOut: {
    kind: "resource",
    resource: "corpus",
    optional: true,
    description: "other texts, which do not choose the tokens: shows how many more tokens they become; needs --keep",
  },
  ...others,
  json: { kind: "flag", description: "print everything found as JSON" },
  offline: offlineOption,
} as const satisfies OptionTable;

/** `mbs vocabulary`: which tokens each language uses, and what a vocabulary trimmed to some languages loses. */
export function vocabularyCommand({ signal }: CommandContext): Command {
  const command = plainCommand(
    "vocabulary",
    "Show how many tokens of a model's vocabulary each language uses. With --keep: what mbs trim would remove, how much smaller the model gets, and how many more tokens texts become.",
    [
      "mbs vocabulary --model M --corpus texts.yaml",
      "mbs vocabulary --model M --corpus texts.yaml --keep en,hi --held-out heldout.yaml",
      "mbs vocabulary --model datasets/controlled-llama --corpus datasets/controlled-texts/calibration.yaml --keep en,de --json",
    ],
  );
  for (const flag of optionsToFlags(options)) command.addOption(flag);
  return command.action(async () => {
    const { quiet = false, debug: _debug, ...given } = command.opts<{ quiet?: boolean; debug?: boolean }>();
    const { model: name, json, offline, field, multiple, keep, ...texts } = parseOptions(options, given, "vocabulary");
    if (offline) forbidNetwork();
    if (texts.heldOut !== undefined && keep === undefined) {
      throw new UsageError("--held-out shows what its texts lose with --keep; name languages to keep", { option: "--held-out" });
    }
    const reporter = createReporter("mbs vocabulary", progressStyle(quiet));
    try {
      const { warn, progress } = reporter;
      const opening = { field, warn, signal, progress };
      const corpus = await openCorpus(texts.corpus, opening);
      const heldOut = texts.heldOut === undefined ? undefined : await openCorpus(texts.heldOut, opening);
      const model = await openModel(name, { progress });
      try {
        const report = await reportVocabulary(model, { corpus, keep, heldOut, multiple }, { signal, progress });
        reporter.stop();
        await printText(json ? `${JSON.stringify(report, null, 2)}\n` : vocabularyTable(report));
      } finally {
        await model.close();
      }
    } finally {
      reporter.stop();
    }
  });
}
