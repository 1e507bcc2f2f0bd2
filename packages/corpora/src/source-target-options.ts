import { UsageError, type OptionTable } from "@mbs/contracts";

/** Field of the target, where none is named. */
const defaultTargetField = "target";

/** How a stage takes sources with their targets. */
export const sourceTargetOptions = {
  sourceTarget: {
    kind: "flag",
    description:
      'for encoder-decoders: read a source and its target, from two fields of the corpus ("source", or --field), in the place of texts',
  },
  targetField: {
    kind: "text",
    optional: true,
    description: `field or column of the target with --source-target ("${defaultTargetField}")`,
  },
  targetLanguage: {
    kind: "text",
    optional: true,
    description:
      "language of all targets with --source-target, for models that read it (M2M-100, NLLB); that of a source is its language in the corpus",
  },
} as const satisfies OptionTable;

/**
 * The field of targets that the options ask for.
 *
 * @returns undefined where texts are read by themselves
 * @throws {UsageError} on what goes with --source-target alone
 */
export function targetFieldOf(values: {
  readonly sourceTarget: boolean;
  readonly targetField?: string | undefined;
  readonly targetLanguage?: string | undefined;
}): string | undefined {
  if (values.sourceTarget) return values.targetField ?? defaultTargetField;
  for (const [key, option] of [
    ["targetField", "--target-field"],
    ["targetLanguage", "--target-language"],
  ] as const) {
    if (values[key] !== undefined) throw new UsageError(`${option} goes with --source-target`, { option });
  }
  return undefined;
}
