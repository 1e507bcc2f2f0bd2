import { BadDataError, FailedPreconditionError, InternalError } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";
import type { Forward } from "../folder/model.ts";

/** @throws {InternalError} where there is no such block, or it cannot be run on so many rows */
export function requireBlock<Block>(
  blocks: readonly Block[],
  index: number,
  { rows }: Pick<Matrix, "rows">,
  batch: number,
): Block {
  const block = blocks[index];
  if (block === undefined || rows % batch !== 0) {
    throw new InternalError(`block ${index} of ${blocks.length} cannot run on ${rows} rows in ${batch} segments`);
  }
  return block;
}

/**
 * @param of what the tokens are of, for messages: "segment 3 of en"
 * @throws {BadDataError} naming the first token that a vocabulary does not have
 */
export function checkTokens(tokens: Int32Array, vocabulary: number, of?: string): void {
  const position = tokens.findIndex((token) => token < 0 || token >= vocabulary);
  if (position >= 0) {
    throw new BadDataError(
      `${of === undefined ? "" : `${of}: `}token ${tokens[position]} at position ${position} is outside the model's vocabulary of ${vocabulary}; were the tokens made for this model?`,
      { position, vocabulary },
    );
  }
}

/** The token that follows each row of states, by which the rows are scored. */
export interface ScoredRows {
  /** Token by row. Where all tokens were read, the last row of a segment predicts nothing, and its token is 0. */
  readonly targets: Int32Array;
  /** Whether a row predicts a token; the losses of others are left out. */
  readonly predicts: (row: number) => boolean;
}

/**
 * @param rows of states, of all segments
 * @param tokens of all segments: as many as were read, or one more in each
 * @throws {InternalError} where they do not fit each other
 */
export function scoredRows(rows: number, tokens: Int32Array, batch: number): ScoredRows {
  const length = rows / batch;
  const read = tokens.length / batch;
  if (!Number.isInteger(length) || (read !== length && read !== length + 1) || read < 2) {
    throw new InternalError(`cannot score ${tokens.length} tokens in ${batch} segments by ${rows} states`);
  }
  const predicts = (row: number): boolean => (row % length) + 1 < read;
  const targets = new Int32Array(rows);
  for (let segment = 0; segment < batch; segment++) {
    targets.set(tokens.subarray(segment * read + 1, (segment + 1) * read), segment * length);
  }
  return { targets, predicts };
}

/** What a forward pass says of the tokens of a text. */
export type Predictions = Pick<Forward, "score" | "logits" | "logitsByTokens">;

function refuse(): never {
  throw new FailedPreconditionError(
    "the model is an encoder, which makes states of texts and predicts no tokens, so it has no losses; compare its embeddings of texts by mbs agreement",
  );
}

/** Those of an encoder. */
export const noPredictions: Predictions = { score: refuse, logits: refuse };
