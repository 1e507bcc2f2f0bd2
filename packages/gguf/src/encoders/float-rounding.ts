import { decodeHalf, encodeHalf } from "@mbs/numbers";

/** The half-precision number next to a number. */
export const toHalf = (value: number): number => decodeHalf(encodeHalf(Float32Array.of(value)))[0]!;

/** Adding and subtracting 1.5·2^23 in float32 rounds a number below 2^22 to a whole one, ties to even, as ggml does. */
const wholeShift = 12582912;

/** A float32 to the nearest whole number, ties to even. @param value below 2^22 in size */
export const nearest = (value: number): number => Math.fround(value + wholeShift) - wholeShift;
