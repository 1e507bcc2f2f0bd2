import { layerNorm } from "../../graph/norms.ts";
import type { NoBasis, ResidualStream } from "../bases.ts";
import type { ExpectedTensor, Layout } from "../layout.ts";
import { describeBlocks } from "./decoder-blocks.ts";
import { plainBases } from "./plain-bases.ts";
import { describePlain, plainBlock } from "./plain-block.ts";
import type { PlainBlock } from "./plain-block.ts";

/** A decoder of the GPT family: plain blocks, then a layer norm. */
export interface PlainDecoder {
  readonly vocabulary: number;
  readonly contextLength: number | undefined;
  readonly positionLimit?: number;
  readonly block: PlainBlock;
  readonly blocks: number;
  readonly prefixes: readonly string[];
  /** Names of tensors: of blocks before their number, of matrices whole, of the last norm without "weight" and "bias". */
  readonly names: { readonly block: string; readonly embedding: string; readonly finalNorm: string; readonly head: string };
  /** Whether the head is the embedding. */
  readonly tied: boolean;
  /** Other tensors that the embedding reads, such as positions. */
  readonly embedTensors: readonly ExpectedTensor[];
  readonly embedRoles: Layout["embedRoles"];
  readonly buildEmbed: Layout["buildEmbed"];
  /** What the embedding adds to the residual stream, or why its basis cannot be changed. */
  readonly embedBasis: Pick<ResidualStream, "tables" | "embeddingNorm"> | NoBasis;
  /** Besides those of blocks. */
  readonly unread: readonly string[];
}

/** The layout of a decoder of the GPT family. */
export function plainDecoder(decoder: PlainDecoder): Layout {
  const { vocabulary, block, names, tied, embedTensors, embedRoles, buildEmbed } = decoder;
  const hidden = block.norm.size;
  const described = describePlain(block);
  const { unread, tensors, ...blocks } = describeBlocks(
    names.block,
    Array.from({ length: decoder.blocks }, () => described),
  );
  const finalNorm = ["weight", "bias"].map((kind) => [`norm.${kind}`, `${names.finalNorm}.${kind}`] as const);
  const longTexts = block.rotary?.long?.beyond;
  return {
    ...blocks,
    hiddenSize: hidden,
    vocabularySize: vocabulary,
    contextLength: decoder.contextLength,
    ...(decoder.positionLimit !== undefined && { positionLimit: decoder.positionLimit }),
    ...(longTexts !== undefined && { longTexts }),
    prefixes: decoder.prefixes,
    embedding: names.embedding,
    head: names.head,
    bases: plainBases(
      decoder,
      blocks.blocks.map(({ name }) => name),
    ),
    tensors: [
      { name: names.embedding, shape: [vocabulary, hidden], required: true },
      ...embedTensors,
      ...tensors,
      ...finalNorm.map(([, name]) => ({ name, shape: [hidden], required: true })),
      // Like transformers, a head that the checkpoint has counts, whatever the configuration says of ties.
      { name: names.head, shape: [vocabulary, hidden], required: !tied },
    ],
    unread: [...unread, ...decoder.unread],
    embedRoles,
    headRoles: new Map(finalNorm),
    blockKind: () => "",
    buildEmbed,
    buildBlock: (sequence, states) => plainBlock(sequence, states, block),
    buildHeadInput: (rows, states) => layerNorm(rows, states, "norm", block.norm),
  };
}
