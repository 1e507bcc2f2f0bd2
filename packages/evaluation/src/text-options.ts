import { basename, resolve } from "node:path";
import { shardOption, UsageError, type OptionTable, type OptionValues, type Shards } from "@mbs/contracts";
import { languagesOption, sourceTargetOptions, targetFieldOf } from "@mbs/corpora";

/** Options of stages that run models over windows of texts: how texts are read, and with what. */
export const textOptions = {
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
    description: "maximum number of windows of a language, the first ones, from its sources in turn (all)",
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
} as const satisfies OptionTable;

export const sourceOptions = {
  bySource: { group: "Texts", kind: "flag", description: "score each source of a language separately" },
} as const satisfies OptionTable;

type TextValues = OptionValues<typeof textOptions & typeof sourceOptions>;

/** The parsed options, and the models that read the texts. */
export interface TextChoice extends TextValues {
  readonly model: readonly string[];
  /** A name for each model. */
  readonly labels: readonly string[];
  readonly shards: Shards | undefined;
}

/** What a model is called where no name is given. */
export const labelOf = (folder: string): string => basename(resolve(folder));

/** @throws {UsageError} on options that do not go together */
export function checkTextOptions(values: TextValues): void {
  targetFieldOf(values);
  if (values.assistantOnly && values.sourceTarget) {
    throw new UsageError("--assistant-only is for conversations of --corpus, without --source-target", {
      option: "--assistant-only",
    });
  }
  if (values.sourceTarget && values.bySource) {
    throw new UsageError("--by-source is for texts; source→target texts have no further sources", { option: "--by-source" });
  }
}
