import { embeddingSite, headSite, embeddingsBlock } from "@mbs/artifacts";
import type { Layout, Block } from "./layout.ts";

/**
 * Embedding and head as a block behind the last one: its first site is the head's, and where the head is a tensor of its own the
 * embedding is the second. A row of their weights belongs to a token.
 */
export interface Embeddings extends Block {
  /** Whether one tensor is embedding and head. */
  readonly isTied: boolean;
}

/**
 * @param layout with tensor names as in the checkpoint
 * @returns undefined for an encoder-decoder, whose embedding several streams read
 */
export function embeddingsOf(layout: Layout, stream: string): Embeddings | undefined {
  const { embedding, head, vocabularySize: rows, hiddenSize: width, sourceTarget } = layout;
  if (sourceTarget !== undefined) return undefined;
  const isTied = head === embedding;
  const site = (name: string, tensor: string) => ({ name, width, weights: [{ tensor, rows }] });
  const sites = [site(headSite, head), ...(isTied ? [] : [site(embeddingSite, embedding)])];
  return { name: embeddingsBlock, stream, reads: [], sites, isTied };
}

/** What can be compressed of a model: its blocks, and behind them embedding and head. */
export const compressibleBlocks = ({
  blocks,
  embeddings,
}: {
  readonly blocks: readonly Block[];
  readonly embeddings?: Embeddings | undefined;
}): readonly Block[] => (embeddings === undefined ? blocks : [...blocks, embeddings]);
