import { embeddingSite, headSite, vocabularyStep } from "@mbs/artifacts";
import type { Layout, Step } from "./layout.ts";

/**
 * Embedding and head as a step behind the last one: its first site is the head's, and where the head is a tensor of its own the
 * embedding is the second. A row of their weights belongs to a token.
 */
export interface Vocabulary extends Step {
  /** Whether one tensor is embedding and head. */
  readonly isTied: boolean;
}

/**
 * @param layout with tensor names as in the checkpoint
 * @returns undefined for an encoder-decoder, whose embedding several streams read
 */
export function vocabularyOf(layout: Layout, stream: string): Vocabulary | undefined {
  const { embedding, head, vocabularySize: rows, hiddenSize: width, sourceTarget } = layout;
  if (sourceTarget !== undefined) return undefined;
  const isTied = head === embedding;
  const site = (name: string, tensor: string) => ({ name, width, weights: [{ tensor, rows }] });
  const sites = [site(headSite, head), ...(isTied ? [] : [site(embeddingSite, embedding)])];
  return { name: vocabularyStep, stream, reads: [], sites, isTied };
}

/** What can be compressed of a model: its steps, and behind them embedding and head. */
export const compressibleSteps = ({
  steps,
  vocabulary,
}: {
  readonly steps: readonly Step[];
  readonly vocabulary?: Vocabulary | undefined;
}): readonly Step[] => (vocabulary === undefined ? steps : [...steps, vocabulary]);
