import { BadDataError } from "@mbs/contracts";

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

/** @throws {BadDataError} where texts are longer than what the model has positions for */
export function checkPositions(length: number, positionLimit: number | undefined): void {
  if (positionLimit === undefined || length <= positionLimit) return;
  throw new BadDataError(
    `a text of ${length} tokens is longer than the ${positionLimit} positions that the model has; take --length ${positionLimit} or less, or a shorter text`,
    { length, positionLimit },
  );
}
