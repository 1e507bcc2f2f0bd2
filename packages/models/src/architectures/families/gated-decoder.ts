import { at } from "@mbs/contracts";
import { scaled, softcapped } from "../../graph/scaling.ts";
import type { Layout } from "../layout.ts";
import { describeBlocks } from "./decoder-blocks.ts";
import { describeGated, gatedLinears, ofKind } from "./gated-block.ts";
import type { BlockKind, GatedDecoder } from "./gated-block.ts";
import { joinedExperts } from "./gated-experts.ts";
import { gatedBases } from "./gated-bases.ts";
import { gatedBlock } from "./gated-graph.ts";
import { gatedNorm } from "./gated-norm.ts";
import { perLayerInput, perLayerTensors } from "./per-layer-input.ts";
import { channels, embedStates, stateWidthOf } from "./state-columns.ts";

/** What the blocks of a kind are made of. */
function partsOf(whole: GatedDecoder, kind: BlockKind) {
  const decoder = ofKind(whole, kind);
  const linears = gatedLinears(decoder, kind);
  return { kind, decoder, linears, description: describeGated(decoder, linears, kind) };
}

/** The layout of a decoder of the Llama family. */
export function gatedDecoder(decoder: GatedDecoder): Layout {
  const { hidden, vocabulary, contextLength, kinds, tied, norm, logitScale, logitSoftcap, perLayer } = decoder;
  const lastNorm = `${decoder.names.lastNorm}.weight`;
  const ofKinds = new Map(kinds.map((kind) => [kind.name, partsOf(decoder, kind)]));
  const parts = kinds.flatMap(({ name }) => ofKinds.get(name) ?? []);
  const blocks = describeBlocks(
    "layers.",
    parts.map(({ description }) => description),
  );
  const experts = decoder.experts === undefined ? [] : joinedExperts(decoder.experts);
  const longTexts = kinds.find(({ rotary }) => rotary.long !== undefined)?.rotary.long?.beyond;
  return {
    ...blocks,
    hiddenSize: hidden,
    ...(perLayer && { stateWidth: stateWidthOf(decoder), tokenInput: perLayerInput(decoder, perLayer) }),
    vocabularySize: vocabulary,
    contextLength,
    ...(longTexts !== undefined && { longTexts }),
    ...(kinds.some(({ linear }) => linear !== undefined) && { keepsState: true }),
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
      parts.map(({ kind, linears }, index) => ({ name: at(blocks.blocks, index).name, kind, linears })),
      { embedding: "embed_tokens.weight", finalNorm: lastNorm, head: "lm_head.weight" },
    ),
    tensors: [
      { name: "embed_tokens.weight", shape: [vocabulary, hidden], required: true },
      ...(perLayer ? perLayerTensors(decoder, perLayer) : []),
      ...blocks.tensors,
      { name: lastNorm, shape: [hidden], required: true },
      // Like transformers, a head that the checkpoint has counts, whatever the configuration says of ties.
      { name: "lm_head.weight", shape: [vocabulary, hidden], required: !tied },
    ],
    embedRoles: new Map(),
    headRoles: new Map([["norm.weight", lastNorm]]),
    blockKind: (index) => at(kinds, index).name,
    buildEmbed: (embed, rows) => embedStates(embed, rows, decoder),
    buildBlock: (sequence, states, index) => gatedBlock(sequence, states, at(parts, index)),
    buildHeadInput: (rows, states) => gatedNorm(rows, channels(rows.graph, states, decoder), "norm", hidden, norm),
    buildLogits: ({ graph }, products) => softcapped(graph, scaled(graph, products, logitScale), logitSoftcap),
  };
}
