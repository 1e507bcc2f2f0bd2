import { InternalError } from "@mbs/contracts";

/** What rows of states are scored by: the token that follows each. */
export interface ScoredRows {
  /** Token by row. Where all tokens were read, the last row of a segment predicts nothing: any token stands there. */
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
  const targetOf = (row: number): number => Math.floor(row / length) * read + (row % length) + 1;
  const predicts = (row: number): boolean => (row % length) + 1 < read;
  const targets = Int32Array.from({ length: rows }, (_, row) => (predicts(row) ? (tokens[targetOf(row)] ?? 0) : 0));
  return { targets, predicts };
}
