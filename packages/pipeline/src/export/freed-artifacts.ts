/** A node as far as it matters for when artifacts can be removed. */
export interface OrderedNode {
  readonly id: string;
  /** Ids of the nodes before it. */
  readonly before: readonly string[];
  /** Ids of the nodes whose output it reads. */
  readonly reads: readonly string[];
  /** Whether its output is needed by its readers alone. */
  readonly isTemporary: boolean;
}

/**
 * Which outputs each node can remove when it starts: those whose readers must all have ended before it. Of several such nodes
 * the first in the plan does. The output of a node whose readers nothing waits for is removed by none.
 *
 * @param nodes each after those that it waits for
 * @returns id of a node → ids of the nodes whose outputs it removes
 */
export function freedBy(nodes: readonly OrderedNode[]): ReadonlyMap<string, readonly string[]> {
  // sets of nodes as the bits of a number: plans have thousands of nodes
  const bits = new Map(nodes.map(({ id }, index) => [id, 1n << BigInt(index)]));
  const bitOf = (id: string): bigint => bits.get(id) ?? 0n;
  const ancestors = new Map<string, bigint>();
  const ancestorsOf = (id: string): bigint => ancestors.get(id) ?? 0n;
  const readers = new Map<string, bigint>();
  for (const { id, before, reads } of nodes) {
    ancestors.set(
      id,
      before.reduce((all, other) => all | bitOf(other) | ancestorsOf(other), 0n),
    );
    for (const read of reads) readers.set(read, (readers.get(read) ?? 0n) | bitOf(id));
  }
  const freed = new Map<string, string[]>();
  for (const [index, { id, isTemporary }] of nodes.entries()) {
    const all = readers.get(id);
    if (!isTemporary || all === undefined) continue;
    const first = nodes.slice(index + 1).find((node) => (ancestorsOf(node.id) & all) === all);
    if (first !== undefined) freed.set(first.id, [...(freed.get(first.id) ?? []), id]);
  }
  return freed;
}
