/*
 * E2M1, floats of four bits (OCP Microscaling Formats 1.0, 5.3.3): a sign, two bits of exponent and one of mantissa. Levels are
 * doubled, so that they are whole, and scales of blocks are half of what formats have.
 */

/** Twice what the sixteen codes stand for; the upper eight are negative, the first of them −0. */
export const doubled = Int8Array.of(0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12);

/** The codes by their levels, which rise; 0 is there twice. */
export const rising = Uint8Array.of(15, 14, 13, 12, 11, 10, 9, 8, 0, 1, 2, 3, 4, 5, 6, 7);

/** The place of each code among the rising levels. */
export const places = Uint8Array.from(rising, (_, code) => rising.indexOf(code));

/** What a rule has for levels. */
export const levels = Int8Array.from(rising, (code) => doubled[code]!);
