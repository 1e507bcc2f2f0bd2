import { at } from "@mbs/contracts";
import { anything, flag, integer, nullable, only, optional, section, text } from "../config/config-keys.ts";
import type { Aliases, Keys } from "../config/config-keys.ts";
import { readConfig } from "../config/config.ts";
import { commonKeys } from "../config/harmless-keys.ts";
import type { Architecture } from "./architecture.ts";

/** The section of config.json that the language model has. */
const languageSection = "text_config";

/**
 * What stands before names of the language model's tensors: in files of transformers 5, in most of the Hub's, and in those of a
 * model that was saved without its head.
 */
const prefixes = ["model.language_model.", "language_model.model.", "language_model."];

/** A model type that wraps a language model together with others that make its states of images. */
interface WrappedDefinition {
  readonly modelType: string;
  /** The language models that may be inside; the first where the section names none. */
  readonly inner: readonly [Architecture, ...Architecture[]];
  /** Modules beside the language model, whose tensors are carried as they are, beside those that the language model itself carries. */
  readonly carried: readonly string[];
  /** Default of `tie_word_embeddings`. */
  readonly tied: boolean;
  /** Whether the soft cap on logits counts; default false: transformers leaves it out in most wrapped models. */
  readonly capsLogits?: boolean;
  /** Keys with the ids of tokens that stand for images, with their defaults. They must be there: `mbs trim` renumbers them. */
  readonly tokens: Readonly<Record<string, number>>;
  readonly aliases?: Aliases;
  /** Further keys of the class, which text alone does not depend on. */
  readonly keys: Keys;
}

/** Keys that count at the top level, whatever the section says of them. */
const generationIds = ["bos_token_id", "eos_token_id", "pad_token_id"];

/**
 * A wrapped model type: one of its language models under other names of tensors, and tensors that no graph reads. What is
 * compressed and trimmed is the language model; everything else stays as it is.
 */
export function defineWrapped(definition: WrappedDefinition): Architecture {
  const { modelType, inner, carried, tied, tokens, aliases = {}, capsLogits = false } = definition;
  const fixed = {
    ...commonKeys,
    vision_config: optional(section),
    text_config: optional(section),
    tie_word_embeddings: nullable(flag(tied), tied),
  } as const;
  const tokenKeys = Object.fromEntries(Object.entries(tokens).map(([key, id]) => [key, integer(id)]));
  const keys: Keys & typeof fixed = { ...fixed, ...tokenKeys, ...definition.keys };
  const inside = {
    model_type: text(at(inner, 0).modelType),
    final_logit_softcapping: capsLogits ? anything : only(null),
  };
  const reason = `${carried.join(" and ")} of ${modelType}, which write into the states, would not be rotated along`;
  return {
    modelType,
    keys,
    read(json, file) {
      const unknown: string[] = [];
      const outer = readConfig(json, keys, { file, aliases, unknown });
      const { text_config: own = outer.broken(languageSection, "an object"), tie_word_embeddings: isTied } = outer.values;
      // the tower of a configuration without one would have the sizes of its class
      const { vision_config: vision = outer.broken("vision_config", "an object") } = outer.values;
      for (const key of Object.keys(tokens)) if (!outer.has(key)) outer.broken(key, "the id of a token");
      const { values, refuse } = readConfig(own, inside, { file, prefix: `${languageSection}.`, unknown: [] });
      const language =
        inner.find((type) => type.modelType === values.model_type) ??
        refuse("model_type", `${modelType} has ${inner.map((type) => type.modelType).join(" or ")} inside`);
      const reading = language.read({ ...own, tie_word_embeddings: isTied ?? false }, file, `${languageSection}.`);
      const ids = generationIds.filter((key) => Object.hasOwn(json, key)).map((key) => [key, json[key]] as const);
      return {
        ...reading,
        section: languageSection,
        layout: {
          ...reading.layout,
          prefixes,
          carried: [...carried, ...(reading.layout.carried ?? [])],
          bases: { stream: { reason }, values: { reason } },
        },
        settings: { ...reading.settings, vision_config: vision, ...Object.fromEntries(ids) },
        unknown: [...unknown, ...reading.unknown],
      };
    },
  };
}
