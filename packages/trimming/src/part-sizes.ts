import { embeddingsTables } from "@mbs/models";
import type { ArchitectureModel } from "@mbs/models";

/** Bytes of a model's tensors, by part. */
export interface PartSizes {
  readonly embedding: number;
  /** And other tables with a row for each token; 0 where there are none and the head is the embedding. */
  readonly head: number;
  /** Everything else: blocks, norms, positions. */
  readonly blocks: number;
}

/** How large the parts of a model are as they are stored. */
export function partSizes({ checkpoint, layout }: ArchitectureModel): PartSizes {
  const tables = embeddingsTables(layout);
  const sizes = { embedding: 0, head: 0, blocks: 0 };
  for (const { name, bytes } of checkpoint.list()) {
    if (name === layout.embedding) sizes.embedding += bytes;
    else if (tables.has(name)) sizes.head += bytes;
    else sizes.blocks += bytes;
  }
  return sizes;
}

/** Of all parts. */
export const wholeSize = ({ embedding, head, blocks }: PartSizes): number => embedding + head + blocks;
