import { basename, join } from "node:path";
import { collect, openArtifact, readScores } from "@mbs/artifacts";
import { BadDataError, UsageError, parseOptions } from "@mbs/contracts";
import type { OptionTable } from "@mbs/contracts";
import { openCorpus, readDistribution } from "@mbs/corpora";
import { summarise } from "@mbs/evaluation";
import { createReporter, forbidNetwork, offlineOption, optionsToFlags, printText, progressStyle } from "@mbs/host-cli";
import {
  compareWithLosses,
  distributionFile,
  estimateDistribution,
  shareErrors,
  textBytes,
  textEntropies,
} from "@mbs/language-distribution";
import { openMergeList } from "@mbs/models";
import type { Command } from "commander";
import { distributionTable } from "../results/distribution-table.ts";
import type { DistributionFindings } from "../results/distribution-table.ts";
import { plainCommand } from "./plain-command.ts";
import type { CommandContext } from "./plain-command.ts";
import { requireTargets, writeTarget } from "./target-files.ts";

const options = {
  model: { kind: "resource", resource: "model", description: "model folder; its tokenizer.json is enough" },
  corpus: {
    kind: "resource",
    resource: "corpus",
    description:
      "texts of every language that may be in the training mixture: YAML manifest, folder of LANG.jsonl, .txt, .csv or .parquet files, or hf:datasets/…",
  },
  field: { kind: "text", optional: true, description: 'field or column that holds the text (the manifest\'s own, else "text")' },
  merges: { kind: "integer", minimum: 1, default: 3000, description: "merges used, from the first" },
  bytes: { kind: "integer", minimum: 1, default: textBytes, description: "bytes of text used of each language" },
  resamples: {
    kind: "integer",
    minimum: 0,
    default: 20,
    description: "estimates from resampled texts and merges for the spread: 10 or more, or 0 for none",
  },
  seed: { kind: "integer", default: 0, description: "seed of the resamples" },
  scores: {
    kind: "text",
    placeholder: "FILE",
    optional: true,
    description: "scores of the model (mbs evaluate), to compare the shares with its losses",
  },
  against: {
    kind: "resource",
    resource: "distribution",
    optional: true,
    description: "known or claimed shares to compare with: a JSON file, a model folder or the name of a preset",
  },
  name: { kind: "text", optional: true, description: "name of the distribution (the model's)" },
  output: { kind: "text", placeholder: "FILE", optional: true, description: "where to write the distribution.json" },
  force: { kind: "flag", description: "replace an existing output" },
  json: { kind: "flag", description: "print everything found as JSON" },
  offline: offlineOption,
} as const satisfies OptionTable;

/** With fewer resamples the 2.5th and 97.5th percentile may both be on one side of the estimate. */
const fewestResamples = 10;

/** Bits a byte by language, of the one model that was scored. */
async function readLosses(path: string): Promise<ReadonlyMap<string, number>> {
  const results = summarise(await collect(readScores(await openArtifact(path))));
  const models = new Set(results.map(({ model }) => model));
  if (models.size !== 1) {
    throw new BadDataError(`${path} has scores of ${models.size} models (${[...models].join(", ")}); evaluate one model alone`, {
      path,
    });
  }
  return new Map(results.map(({ language, bitsPerByte }) => [language, bitsPerByte]));
}

/** `mbs distribution`: language shares from a tokenizer's merges and a model's losses. */
export function distributionCommand({ signal }: CommandContext): Command {
  const command = plainCommand(
    "distribution",
    "Estimate the language shares of a model that does not publish them, from its tokenizer's merges.",
    [
      "mbs distribution --model M --corpus texts.yaml --output distribution.json",
      "mbs distribution --model M --corpus texts.yaml --scores scores.arrow",
      "mbs distribution --model datasets/controlled-bloom --corpus datasets/controlled-texts/calibration.yaml --against datasets/controlled-bloom",
    ],
  );
  for (const flag of optionsToFlags(options)) command.addOption(flag);
  return command.action(async () => {
    const { quiet = false, debug: _debug, ...given } = command.opts<{ quiet?: boolean; debug?: boolean }>();
    const parsed = parseOptions(options, given, "distribution");
    const { model, field, scores, against, output, force, json, offline, ...values } = parsed;
    if (offline) forbidNetwork();
    if (values.resamples > 0 && values.resamples < fewestResamples) {
      throw new UsageError(`--resamples takes 0, or ${fewestResamples} and more: fewer show no spread`, {
        option: "--resamples",
      });
    }
    const reporter = createReporter("mbs distribution", progressStyle(quiet));
    try {
      const { warn, progress } = reporter;
      const corpus = await openCorpus(values.corpus, { field, warn, signal, progress });
      if (output !== undefined) {
        const shares = against === undefined ? [] : [against, join(against, "distribution.json")];
        const losses = scores === undefined ? [] : [scores];
        const texts = [values.corpus, ...corpus.files];
        await requireTargets([output], [join(model, "tokenizer.json"), ...texts, ...shares, ...losses], force);
      }
      const merges = await openMergeList(model, progress);
      const known = against === undefined ? undefined : await readDistribution(against);
      const losses = scores === undefined ? undefined : await readLosses(scores);
      const estimate = await estimateDistribution(merges, corpus, values, { signal, progress });
      const shares = new Map(estimate.languages.map(({ language, share }) => [language, share]));
      const errors = known && shareErrors(shares, known.shares);
      if (known && !errors)
        throw new UsageError(
          `${known.name} has none of the languages of corpus ${corpus.name}; choose another corpus or --against`,
        );
      const entropies = losses && (await textEntropies(corpus, values.bytes, signal));
      const name = values.name ?? basename(model);
      const findings: DistributionFindings = {
        distribution: distributionFile(estimate, name, `mbs distribution: merges of ${name}, texts of ${corpus.name}`),
        estimate,
        ...(known &&
          errors && { against: { name: known.name, unit: known.unit, shares: Object.fromEntries(known.shares), errors } }),
        ...(losses &&
          entropies && {
            losses: {
              estimate: compareWithLosses(shares, losses, entropies),
              ...(known && { against: compareWithLosses(known.shares, losses, entropies) }),
            },
          }),
      };
      if (output !== undefined) {
        await writeTarget(output, `${JSON.stringify(findings.distribution, null, 2)}\n`, force);
      }
      await printText(json ? `${JSON.stringify(findings, null, 2)}\n` : distributionTable(findings));
    } finally {
      reporter.stop();
    }
  });
}
