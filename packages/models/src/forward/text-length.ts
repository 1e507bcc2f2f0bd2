import { BadDataError, UsageError } from "@mbs/contracts";
import type { Model } from "../folder/model.ts";

/** Tokens of a segment or a window by default, at most: the length that the papers use. */
const usual = 2048;

/**
 * Tokens of a segment or a window by default: the model's context, at most 2048. The attention of the hundred thousand tokens
 * that today's models read would not fit in memory.
 *
 * @param contextLength of the model, where its configuration names one
 */
export const defaultLength = (contextLength: number | undefined): number => Math.min(usual, contextLength ?? usual);

/**
 * Checks the length that was asked for, before texts are read.
 *
 * @throws {UsageError} where the model has no positions for it
 */
export function requirePositions(length: number, { path, positionLimit }: Model): void {
  if (positionLimit === undefined || length <= positionLimit) return;
  throw new UsageError(
    `--length ${length} is beyond the ${positionLimit} positions that ${path} has; take ${positionLimit} or less`,
    { option: "--length", length, positionLimit },
  );
}

/** @throws {BadDataError} where texts are longer than what the model has positions for */
export function checkPositions(length: number, positionLimit: number | undefined): void {
  if (positionLimit === undefined || length <= positionLimit) return;
  throw new BadDataError(
    `a text of ${length} tokens is longer than the ${positionLimit} positions that the model has; take a shorter text, or --length ${positionLimit} or less`,
    { length, positionLimit },
  );
}
