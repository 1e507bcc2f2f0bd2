import { at, parseOptions, UsageError } from "@mbs/contracts";
import type { OptionTable } from "@mbs/contracts";
import { languagesForModels, languagesOption, openCorpus } from "@mbs/corpora";
import { compareEmbeddings } from "@mbs/evaluation";
import {
  createReporter,
  forbidNetwork,
  offlineOption,
  optionsToFlags,
  printText,
  progressStyle,
  threadsOption,
} from "@mbs/host-cli";
import { openModel, requirePositions } from "@mbs/models";
import type { Model } from "@mbs/models";
import type { Command } from "commander";
import { agreementTable } from "../results/agreement-table.ts";
import { plainCommand } from "./plain-command.ts";
import type { CommandContext } from "./plain-command.ts";

const options = {
  model: {
    kind: "resource",
    resource: "model",
    many: true,
    description: "encoder; the first is the one before compression, with which the others are compared",
  },
  corpus: {
    kind: "resource",
    resource: "corpus",
    description: "held-out texts: YAML manifest, folder of LANG.* files, or hf:datasets/…",
  },
  field: {
    kind: "text",
    optional: true,
    description: 'field or column that holds texts (the manifest\'s own, else "text")',
  },
  languages: languagesOption,
  texts: { kind: "integer", minimum: 1, maximum: 1000, default: 50, description: "texts of a language, the first of the corpus" },
  length: {
    kind: "integer",
    minimum: 1,
    maximum: 1 << 19,
    default: 128,
    description: "tokens of a text that are read; what is behind them is cut off",
  },
  prefix: {
    kind: "text",
    optional: true,
    description: 'put before each text: what the model was trained to find there, such as "query: " (E5)',
  },
  json: { kind: "flag", description: "print everything found as JSON" },
  threads: threadsOption,
  offline: offlineOption,
} as const satisfies OptionTable;

/** `mbs agreement`: how well embeddings of texts agree with those of the model before compression. */
export function agreementCommand({ signal }: CommandContext): Command {
  const command = plainCommand(
    "agreement",
    "Compare an encoder's embeddings of texts with those of the model it was made from, by language: the cosine of the two, and how many of the nearest texts stay the same. No labels are needed. States are pooled as 1_Pooling/config.json says, else by their mean.",
    [
      "mbs agreement --model M --model out/ --corpus heldout.yaml",
      'mbs agreement --model M --model out/ --model trimmed/ --corpus heldout.yaml --prefix "query: "',
      "mbs agreement --model M --model out/ --corpus heldout.yaml --languages en,hi --json",
    ],
  );
  for (const flag of optionsToFlags(options)) command.addOption(flag);
  return command.action(async () => {
    const { quiet = false, debug: _debug, ...given } = command.opts<{ quiet?: boolean; debug?: boolean }>();
    const {
      model: names,
      json,
      offline,
      field,
      threads,
      languages,
      corpus: path,
      ...asked
    } = parseOptions(options, given, "agreement");
    if (offline) forbidNetwork();
    if (names.length < 2) {
      throw new UsageError("agreement compares models with the first one: give --model twice or more", { option: "--model" });
    }
    const reporter = createReporter("mbs agreement", progressStyle(quiet));
    const models: Model[] = [];
    try {
      const { warn, progress } = reporter;
      const corpus = await openCorpus(path, { field, warn, signal, progress });
      for (const name of names) models.push(await openModel(name, { progress }));
      for (const model of models) requirePositions(asked.length, model);
      const labelled = models.map((model, index) => ({ model, label: at(names, index) }));
      const kept = models.map(({ trimming }) => trimming?.keep);
      const taken = languagesForModels(corpus, languages, kept, warn).languages;
      const report = await compareEmbeddings(
        { ...asked, prefix: asked.prefix ?? "", models: labelled, corpus, languages: taken },
        { signal, progress, threads },
      );
      reporter.stop();
      await printText(json ? `${JSON.stringify(report, null, 2)}\n` : agreementTable(report));
    } finally {
      reporter.stop();
      for (const model of models) await model.close();
    }
  });
}
