/**
 * Slope of each head's linear bias: powers of 2^(-8/n) for n heads, n a power of two; further heads take every other
 * slope of 2n heads.
 *
 * @param heads ≥ 1
 * @see arXiv:2108.12409 §3, and its authors' rule for other numbers of heads
 */
export function alibiSlopes(heads: number): Float32Array {
  const whole = 2 ** Math.floor(Math.log2(heads));
  const first = Array.from({ length: whole }, (_, head) => 2 ** ((-8 * (head + 1)) / whole));
  const further = Array.from({ length: heads - whole }, (_, head) => 2 ** ((-8 * (2 * head + 1)) / (2 * whole)));
  return Float32Array.from([...first, ...further]);
}
