import { at } from "@mbs/contracts";
import { scaled, softcapped } from "../../graph/scaling.ts";
import type { Layout } from "../layout.ts";
import { describeBlocks } from "./decoder-blocks.ts";
import { describeGated, gatedLinears } from "./gated-block.ts";
import type { GatedDecoder } from "./gated-block.ts";
import { joinedExperts } from "./gated-experts.ts";
import { gatedBases } from "./gated-bases.ts";
import { gatedBlock, gatedNorm } from "./gated-graph.ts";

/** The layout of a decoder of the Llama family. */
export function gatedDecoder(decoder: GatedDecoder): Layout {
  const { hidden, vocabulary, contextLength, kinds, tied, norm, embeddingScale, logitScale, logitSoftcap } = decoder;
  const linears = gatedLinears(decoder);
  const blocks = describeBlocks("layers.", kinds.length, describeGated(decoder, linears));
  const experts = decoder.experts === undefined ? [] : joinedExperts(decoder.experts);
  const longTexts = kinds.find(({ rotary }) => rotary.long !== undefined)?.rotary.long?.beyond;
  return {
    ...blocks,
    hiddenSize: hidden,
    vocabularySize: vocabulary,
    contextLength,
    ...(longTexts !== undefined && { longTexts }),
    joined: blocks.blocks.flatMap(({ name: block }) =>
      experts.map((joined) => ({
        ...joined,
        name: `${block}.${joined.name}`,
        parts: joined.parts.map((part) => `${block}.${part}`),
      })),
    ),
    prefixes: ["model."],
    embedding: "embed_tokens.weight",
    head: "lm_head.weight",
    bases: gatedBases(
      decoder,
      linears,
      blocks.blocks.map(({ name }) => name),
      { embedding: "embed_tokens.weight", finalNorm: "norm.weight", head: "lm_head.weight" },
    ),
    tensors: [
      { name: "embed_tokens.weight", shape: [vocabulary, hidden], required: true },
      ...blocks.tensors,
      { name: "norm.weight", shape: [hidden], required: true },
      // Like transformers, a head that the checkpoint has counts, whatever the configuration says of ties.
      { name: "lm_head.weight", shape: [vocabulary, hidden], required: !tied },
    ],
    embedRoles: new Map(),
    headRoles: new Map([["norm.weight", "norm.weight"]]),
    blockKind: (index) => at(kinds, index).name,
    buildEmbed: ({ graph }, rows) => scaled(graph, rows, embeddingScale),
    buildBlock: (sequence, states, index) => gatedBlock(sequence, states, decoder, linears, at(kinds, index)),
    buildHeadInput: (rows, states) => gatedNorm(rows, states, "norm", hidden, norm),
    buildLogits: ({ graph }, products) => softcapped(graph, scaled(graph, products, logitScale), logitSoftcap),
  };
}
