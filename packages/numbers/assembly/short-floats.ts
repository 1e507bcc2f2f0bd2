// Scales of few significant bits, four rows side by side: src/grids/short-floats.ts.

/** 2^-120 and 2^120. */
export const leastShort: f32 = 7.52316384526264e-37;
export const mostShort: f32 = 1.329227995784916e36;

/** Where a number is between the least and the largest. */
export function isShort(value: v128): v128 {
  return v128.and(f32x4.ge(value, f32x4.splat(leastShort)), f32x4.le(value, f32x4.splat(mostShort)));
}
