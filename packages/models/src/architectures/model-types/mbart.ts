import { integerTensor } from "@mbs/onnx";
import { count, flag, integer, nullable, only, text } from "../../config/config-keys.ts";
import type { ValuesOf } from "../../config/config-keys.ts";
import type { Config } from "../../config/config.ts";
import { commonKeys, dropout } from "../../config/harmless-keys.ts";
import { encoderStream } from "../../forward/streams.ts";
import { layerNorm } from "../../graph/norms.ts";
import { scaled } from "../../graph/scaling.ts";
import type { EmbedGraph } from "../../graph/sequence-graph.ts";
import { defineArchitecture } from "../architecture.ts";
import { bartAliases, bartKeys, bartNorm, bartScale, bartStack } from "../families/bart-stack.ts";
import { sourceTargetModel, sourceTargetTokens } from "../families/source-target-model.ts";
import type { Stack } from "../families/source-target-model.ts";
import type { SourceTarget } from "../layout.ts";

/** Rows of the tables of positions before the first one. */
const firstPosition = 2;

const keys = {
  ...bartKeys,
  vocab_size: count(50_265),
  decoder_start_token_id: nullable(integer(0)),
  pad_token_id: integer(1),
  tokenizer_class: nullable(text("")),
  return_dict: only(true),
  is_decoder: flag(false),
  // not read by the forward pass
  classifier_dropout: dropout,
  forced_eos_token_id: { ...commonKeys.eos_token_id, fallback: 2 },
} as const;

const role = (stream: string, name: string): string => `${stream}-${name}`;

/** Where the classes of tokenizers put the token of a language. */
const places: ReadonlyMap<string, SourceTarget["languages"]> = new Map([
  ["MBart50Tokenizer", "before"],
  ["MBartTokenizer", "behind"],
]);

/**
 * mBART-50's decoder starts with the token that ends texts, and the language stands before a text. That of mBART starts with the
 * target's language, which stands behind a text; its configurations name a language, or no token.
 */
function readSourceTarget(config: Config<ValuesOf<typeof keys> & { readonly eos_token_id: unknown }>): SourceTarget {
  const { decoder_start_token_id: given, tokenizer_class: named } = config.values;
  const name = named === null || named === "" ? undefined : named.replace(/Fast$/, "");
  const place = name === undefined ? undefined : places.get(name);
  if (name !== undefined && place === undefined) {
    config.refuse("tokenizer_class", `supported: ${[...places.keys()].join(", ")}`);
  }
  const ends = sourceTargetTokens({ ...config, values: { ...config.values, decoder_start_token_id: given ?? 2 } }, 2);
  const found = given === null ? (place ?? "behind") : ends.start === ends.end ? "before" : "behind";
  if (place !== undefined && place !== found) {
    config.refuse(
      "decoder_start_token_id",
      `with tokenizer_class ${name} it is ${place === "before" ? "the eos_token_id" : "a language, or null"}`,
    );
  }
  return found === "before" ? { languages: found, start: ends.end, end: ends.end } : { languages: found, end: ends.end };
}

/** mBART-50 and mBART: translation between 50 and 25 languages. @see arXiv:2008.00401 @see arXiv:2001.08210 */
export const mbart = defineArchitecture({
  modelType: "mbart",
  keys,
  aliases: bartAliases,
  layout(config) {
    const { values } = config;
    const { d_model: hidden, vocab_size: vocabulary, max_position_embeddings: positions, pad_token_id: pad } = values;
    if (pad >= vocabulary || pad < -vocabulary) config.broken("pad_token_id", `a token below vocab_size ${vocabulary}`);
    // a text has one token or more, between its language and its end
    const limit = positions - 2;
    if (limit < 1) config.broken("max_position_embeddings", "at least 3");
    const scale = bartScale(config);
    const rows = positions + firstPosition;
    const embedOf = (key: "encoder" | "decoder"): Stack["embed"] =>
      [
        { part: "positions.weight", name: "embed_positions.weight", shape: [rows, hidden] },
        { part: "norm.weight", name: "layernorm_embedding.weight", shape: [hidden] },
        { part: "norm.bias", name: "layernorm_embedding.bias", shape: [hidden] },
      ].map(({ part, name, shape }) => ({ role: role(key, part), name: `${key}.${name}`, shape, required: true }));
    const embedded = (embed: EmbedGraph, tokens: string): string => {
      const { graph } = embed;
      const key = embed.stream === encoderStream ? "encoder" : "decoder";
      const shifted = graph.node("Add", [embed.positions(), graph.constant(integerTensor([firstPosition], []))]);
      const position = graph.node("Gather", [embed.weight(role(key, "positions.weight"), [rows, hidden]), shifted]);
      const sum = graph.node("Add", [scaled(graph, tokens, scale), position]);
      return layerNorm(embed, sum, role(key, "norm"), { size: hidden, epsilon: bartNorm.epsilon });
    };
    return sourceTargetModel({
      vocabulary,
      contextLength: limit,
      positionLimit: limit,
      sourceTarget: readSourceTarget(config),
      encoder: bartStack(config, "encoder", embedOf("encoder")),
      decoder: bartStack(config, "decoder", embedOf("decoder")),
      prefixes: ["model."],
      needsHead: !values.tie_word_embeddings,
      needsCopies: !values.tie_word_embeddings,
      unread: [],
      zeros: [{ name: "final_logits_bias", shape: [1, vocabulary] }],
      buildEmbed: embedded,
    });
  },
});
