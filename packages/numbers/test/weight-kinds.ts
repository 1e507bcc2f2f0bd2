import { at } from "@mbs/contracts";

/** Numbers of about a normal distribution. @param next from 0 up to 1 */
export const bellOf = (next: () => number) => (): number => next() + next() + next() + next() - 2;

/** Kinds of weights that a fit of grids can meet, by name: a weight of a row. @param next from 0 up to 1 */
export function weightKinds(next: () => number): Readonly<Record<string, (row: number) => number>> {
  const bell = bellOf(next);
  return {
    bell: () => bell() / 20,
    "few large ones": () => bell() ** 5,
    // several grids lose as much, but for the rounding of values
    "of a grid": () => Math.round(bell() * 4) / 64,
    "of one sign, or nothing": (row) => at([-1, 0, 1], row % 3) * Math.abs(bell()),
    "of all sizes": (row) => bell() * 10 ** ((row % 80) - 44),
    "mostly zero": () => (next() < 0.9 ? 0 : bell()),
  };
}
