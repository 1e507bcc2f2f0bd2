import { decodeHalf } from "@mbs/numbers";

/** Every half-precision number by its 16 bits. */
export const halves = decodeHalf(Uint16Array.from({ length: 0x10000 }, (_, bits) => bits));
