import { BadDataError } from "@mbs/contracts";

/** @throws {BadDataError} naming the first token that a vocabulary does not have */
export function checkTokens(tokens: Int32Array, vocabulary: number): void {
  const position = tokens.findIndex((token) => token < 0 || token >= vocabulary);
  if (position >= 0) {
    throw new BadDataError(
      `token ${tokens[position]} at position ${position} is outside the model's vocabulary of ${vocabulary}; were the tokens made for this model?`,
      { position, vocabulary },
    );
  }
}
