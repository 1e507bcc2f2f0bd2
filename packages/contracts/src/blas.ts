/** A dense matrix in row-major order. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  /** Length rows × columns. */
  readonly values: Float32Array;
}

export interface GemmOptions {
  /** Use aᵀ instead of a. */
  readonly transposeA?: boolean;
  /** Use bᵀ instead of b. */
  readonly transposeB?: boolean;
  /** Factor on a·b, default 1. */
  readonly alpha?: number;
  /** Added to the product, shape of the result; default none. */
  readonly add?: Matrix;
}

/** The matrix products that kernels are given, so that maths does not depend on an engine. */
export interface Blas {
  /** alpha·op(a)·op(b) + add, as a new matrix. */
  gemm(a: Matrix, b: Matrix, options?: GemmOptions): Promise<Matrix>;
}
