/** A step as far as it matters for when artifacts can be removed. */
export interface OrderedStep {
  readonly id: string;
  /** Ids of the steps before it. */
  readonly before: readonly string[];
  /** Ids of the steps whose output it reads. */
  readonly reads: readonly string[];
  /** Whether its output is needed by its readers alone. */
  readonly isTemporary: boolean;
}

/**
 * Which outputs each step can remove when it starts: those whose readers must all have ended before it. Of several such steps
 * the first in the plan does. The output of a step whose readers nothing waits for is removed by none.
 *
 * @param steps each after those that it waits for
 * @returns id of a step → ids of the steps whose outputs it removes
 */
export function freedBy(steps: readonly OrderedStep[]): ReadonlyMap<string, readonly string[]> {
  // sets of steps as the bits of a number: plans have thousands of steps
  const bits = new Map(steps.map(({ id }, index) => [id, 1n << BigInt(index)]));
  const bitOf = (id: string): bigint => bits.get(id) ?? 0n;
  const ancestors = new Map<string, bigint>();
  const ancestorsOf = (id: string): bigint => ancestors.get(id) ?? 0n;
  const readers = new Map<string, bigint>();
  for (const { id, before, reads } of steps) {
    ancestors.set(
      id,
      before.reduce((all, other) => all | bitOf(other) | ancestorsOf(other), 0n),
    );
    for (const read of reads) readers.set(read, (readers.get(read) ?? 0n) | bitOf(id));
  }
  const freed = new Map<string, string[]>();
  for (const [index, { id, isTemporary }] of steps.entries()) {
    const all = readers.get(id);
    if (!isTemporary || all === undefined) continue;
    const first = steps.slice(index + 1).find((step) => (ancestorsOf(step.id) & all) === all);
    if (first !== undefined) freed.set(first.id, [...(freed.get(first.id) ?? []), id]);
  }
  return freed;
}
