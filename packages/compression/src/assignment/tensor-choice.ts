import type { Grid } from "@mbs/contracts";

/** A tensor of rows of so many columns. */
export interface TensorPlace {
  readonly block: string;
  readonly tensor: string;
  readonly columns: number;
}

/** What is chosen for a tensor. */
export interface TensorChoice {
  readonly grid: Grid;
  /** Share of it that becomes zero, where that is its own; otherwise the solver's options say. */
  readonly sparsity?: number;
}

/** What each tensor gets. @returns undefined where it stays as it is @throws {BadDataError} where an allocation does not have it */
export type ChoiceOf = (place: TensorPlace) => TensorChoice | undefined;
