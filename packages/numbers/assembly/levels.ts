// Codes of types whose levels are not equally far apart, four rows side by side.

/**
 * Codes of values among 16 levels: how many of the limits between them a value has reached.
 *
 * @param L the levels, then the limits, both rising
 */
export function levelCodes(x: v128, L: usize): v128 {
  let code = i32x4.splat(0);
  for (let limit = L + 16; limit < L + 76; limit += 4) code = i32x4.sub(code, f32x4.ge(x, v128.load32_splat(limit)));
  return code;
}

/** The levels of four codes. */
export function levelsOf(code: v128, L: usize): v128 {
  const halves = i16x8.narrow_i32x4_u(code, code);
  const bytes = i8x16.swizzle(v128.load(L), i8x16.narrow_i16x8_u(halves, halves));
  return f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(i16x8.extend_low_i8x16_s(bytes)));
}
