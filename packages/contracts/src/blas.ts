/** The arrays a matrix can hold: single precision by default, double where one in single precision fails. */
export type Real = Float32Array | Float64Array;

/** A dense matrix in row-major order. */
export interface Matrix<Values extends Real = Float32Array> {
  readonly rows: number;
  readonly columns: number;
  /** Length rows × columns. */
  readonly values: Values;
}

export interface GemmOptions<Values extends Real = Float32Array> {
  /** Use aᵀ instead of a. */
  readonly transposeA?: boolean;
  /** Use bᵀ instead of b. */
  readonly transposeB?: boolean;
  /** Factor on a·b, default 1. */
  readonly alpha?: number;
  /** Added to the product, shape of the result; default none. */
  readonly add?: Matrix<Values>;
  /** Takes the result, whose length it has; may be the values of `add`, not those of a or b. Default a new array. */
  readonly into?: Values;
}

/** The matrix products that kernels are given, so that maths does not depend on an engine. */
export interface Blas<Values extends Real = Float32Array> {
  /** alpha·op(a)·op(b) + add, as a new matrix, or with `into` for its values. */
  gemm(a: Matrix<Values>, b: Matrix<Values>, options?: GemmOptions<Values>): Promise<Matrix<Values>>;
}
