import { basename, resolve } from "node:path";
import { parseOptions, parseShard, shardOption, UsageError, type OptionTable } from "@mbs/contracts";
import { languagesOption, sourceTargetOptions, targetFieldOf } from "@mbs/corpora";
import { checkTaskOptions, taskOptions } from "./tasks/task-options.ts";

/** What `mbs evaluate` takes. */
export const evaluateOptions = {
  model: {
    kind: "resource",
    resource: "model",
    many: true,
    labelledBy: "labels",
    description: "model folder; repeat it to compare models on the same windows",
  },
  labels: { kind: "list", optional: true, placeholder: "NAME,…", description: "a name for each model (the folder's own)" },
  corpus: {
    group: "Texts",
    kind: "resource",
    resource: "corpus",
    optional: true,
    description: "held-out texts: YAML manifest, folder of LANG.* files, or hf:datasets/…",
  },
  field: {
    group: "Texts",
    kind: "text",
    optional: true,
    description: 'field or column that holds texts or conversations (the manifest\'s own, else "text", else "messages")',
  },
  languages: { group: "Texts", ...languagesOption },
  assistantOnly: {
    group: "Texts",
    kind: "flag",
    description: "of conversations, score the assistant's tokens alone, each answer after what precedes it",
  },
  sourceTarget: { group: "Texts", ...sourceTargetOptions.sourceTarget },
  targetField: { group: "Texts", ...sourceTargetOptions.targetField },
  targetLanguage: { group: "Texts", ...sourceTargetOptions.targetLanguage },
  length: {
    group: "Texts",
    kind: "integer",
    optional: true,
    minimum: 2,
    maximum: 1 << 19,
    description: "tokens a window (the models' context, at most 2048)",
  },
  bos: {
    group: "Texts",
    kind: "choice",
    choices: ["auto", "on", "off"],
    default: "auto",
    description:
      "put the beginning-of-sequence token before every window of plain text; auto: where the tokenizer's own post-processing adds one",
  },
  windows: {
    group: "Texts",
    kind: "integer",
    optional: true,
    minimum: 1,
    description: "maximum number of windows of a language, from its sources in turn (all)",
  },
  shard: shardOption(
    "--shard",
    "score a part of the windows and documents alone: 2/8 is the second of eight; mbs join-scores joins them",
  ),
  allowNonfinite: { kind: "flag", description: "read NaN and Inf weights as 0 instead of stopping" },
  activations: {
    kind: "choice",
    choices: ["float32", "int8"],
    default: "float32",
    description:
      "what packed weights (gptq, gptq-v2, compressed-tensors) are multiplied with; int8 is faster and less exact, and the scores say so",
  },
  distances: {
    group: "Texts",
    kind: "choice",
    choices: ["on", "off"],
    default: "on",
    description:
      "measure how far each model's next-token distributions are from the first model's (KL divergence, top-1 agreement), where both read the texts as the same tokens; off is faster",
  },
  ...taskOptions,
  bySource: { group: "Texts", kind: "flag", description: "score each source of a language separately" },
  shares: {
    group: "Texts",
    kind: "resource",
    resource: "distribution",
    optional: true,
    description: "training mixture for the weighted average (the first model's distribution.json, if it has one)",
  },
} as const satisfies OptionTable;

export type EvaluateOptions = ReturnType<typeof parseEvaluateOptions>;

/**
 * The options of `mbs evaluate`, with a label for each model.
 *
 * @throws {UsageError} on options that do not go together, or where there is nothing to evaluate on
 */
export function parseEvaluateOptions(raw: unknown) {
  const values = parseOptions(evaluateOptions, raw, "evaluate");
  const labels = values.labels ?? values.model.map((folder) => basename(resolve(folder)));
  if (labels.length !== values.model.length) {
    throw new UsageError(`--labels names ${labels.length} models, --model ${values.model.length}; give one label a model`, {
      option: "--labels",
    });
  }
  if (new Set(labels).size < labels.length) {
    throw new UsageError(`two models have one name (${labels.join(", ")}); tell them apart with --labels`, {
      option: "--labels",
    });
  }
  checkTaskOptions(values);
  if (values.corpus === undefined && values.tasks === undefined) {
    throw new UsageError("nothing to evaluate on: give --corpus, held-out texts, or --tasks with --task-path", {
      option: "--corpus",
    });
  }
  if (values.languages !== undefined && values.corpus === undefined) {
    throw new UsageError("--languages chooses languages of --corpus; tasks are chosen by their names", { option: "--languages" });
  }
  if (values.assistantOnly && (values.corpus === undefined || values.sourceTarget)) {
    throw new UsageError("--assistant-only is for conversations of --corpus, without --source-target", {
      option: "--assistant-only",
    });
  }
  targetFieldOf(values);
  if (values.sourceTarget && values.bySource) {
    throw new UsageError("--by-source is for texts; source→target texts have no further sources", { option: "--by-source" });
  }
  return { ...values, labels, shards: parseShard(values.shard, "--shard") };
}
