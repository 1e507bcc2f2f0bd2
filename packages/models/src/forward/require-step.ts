import { InternalError } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";

/** How a step was asked for. */
export interface StepCall {
  readonly index: number;
  readonly states: Matrix;
  readonly batch: number;
  /** A site that it does not have. */
  readonly unknown: string | undefined;
  /** Whether anything is wanted of it at all. */
  readonly wanted: boolean;
}

/** @throws {InternalError} where there is no such step, or it cannot be run so */
export function requireStep<Step>(step: Step | undefined, { index, states, batch, unknown, wanted }: StepCall): Step {
  if (step === undefined || unknown !== undefined || states.rows % batch !== 0 || !wanted) {
    throw new InternalError(
      `step ${index} cannot be run on ${states.rows} rows in ${batch} segments for ${unknown ?? "its states"}`,
    );
  }
  return step;
}
