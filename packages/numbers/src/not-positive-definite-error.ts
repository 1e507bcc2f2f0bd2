import { BadDataError } from "@mbs/contracts";

/** A matrix that has no Cholesky factor in the precision that was tried. */
export class NotPositiveDefiniteError extends BadDataError {
  /** The column, in the order of the matrix, whose pivot was not above zero. */
  readonly pivot: number;
  /** What the pivot was. */
  readonly value: number;

  constructor(pivot: number, value: number) {
    super(`the matrix is not positive definite: pivot ${value} at column ${pivot}; raise the damping or give more text`, {
      pivot,
      value,
    });
    this.pivot = pivot;
    this.value = value;
  }
}
