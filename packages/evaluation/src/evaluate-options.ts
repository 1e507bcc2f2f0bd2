import { parseOptions, parseShard, UsageError, type OptionTable } from "@mbs/contracts";
import { checkTaskOptions, taskOptions } from "./tasks/task-options.ts";
import { checkTextOptions, labelOf, sourceOptions, textOptions } from "./text-options.ts";

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
  ...textOptions,
  distances: {
    group: "Texts",
    kind: "choice",
    choices: ["on", "off"],
    default: "on",
    description:
      "measure how far each model's next-token distributions are from the first model's (KL divergence, top-1 agreement), where both read the texts as the same tokens; off is faster",
  },
  ...taskOptions,
  ...sourceOptions,
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
  const labels = values.labels ?? values.model.map(labelOf);
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
  if (values.assistantOnly && values.corpus === undefined) {
    throw new UsageError("--assistant-only is for conversations of --corpus", { option: "--assistant-only" });
  }
  checkTextOptions(values);
  return { ...values, labels, shards: parseShard(values.shard, "--shard") };
}
