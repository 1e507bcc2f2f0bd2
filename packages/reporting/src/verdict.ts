/** A mean of one of several models or mixes. */
export interface Contender {
  readonly name: string;
  readonly rise: number;
  /** 95%. */
  readonly interval: readonly [number, number];
}

/** Whether one is lower for sure: the 95% intervals do not meet. */
const clearlyLower = (lower: Contender, higher: Contender): boolean => lower.interval[1] < higher.interval[0];

/** Which of several is best and worst by a figure: "clearly" where the 95% intervals do not overlap. */
export function verdict(title: string, contenders: readonly Contender[]): string {
  const [best, next, ...others] = contenders.toSorted((a, b) => a.rise - b.rise);
  const last = others.at(-1);
  const lead = clearlyLower(best, next) ? `${best.name} clearly best` : `${best.name} and ${next.name} about as good`;
  if (last === undefined) return `${title}: ${lead}.`;
  const before = others.at(-2) ?? next;
  return `${title}: ${lead}, ${last.name} ${clearlyLower(before, last) ? "clearly worst" : "not clearly worse"}.`;
}
