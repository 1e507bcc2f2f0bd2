import { at } from "@mbs/contracts";
import { mean } from "./numbers.ts";

/** y = intercept + slope · x by least squares. */
export interface LineFit {
  readonly slope: number;
  readonly intercept: number;
  /** Share of the variance of y that the line explains. */
  readonly r2: number;
}

/** @param x not all equal */
export function fitLine(x: readonly number[], y: readonly number[]): LineFit {
  const [middleX, middleY] = [mean(x), mean(y)];
  const sum = (of: (index: number) => number): number => x.reduce((all, _, index) => all + of(index), 0);
  const slope =
    sum((index) => (at(x, index) - middleX) * (at(y, index) - middleY)) / sum((index) => (at(x, index) - middleX) ** 2);
  const intercept = middleY - slope * middleX;
  const left = sum((index) => (at(y, index) - intercept - slope * at(x, index)) ** 2);
  return { slope, intercept, r2: 1 - left / sum((index) => (at(y, index) - middleY) ** 2) };
}
