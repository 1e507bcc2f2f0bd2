/**
 * An order in which alike things stand together: average-linkage clustering, read from left to right. Ties go to the
 * pair that comes first, so the same distances give the same order.
 *
 * @param distances symmetric, [n][n]
 * @returns indices 0 … n-1
 */
export function clusterOrder(distances: readonly (readonly number[])[]): number[] {
  let clusters = distances.map((_, index) => [index]);
  const between = (a: readonly number[], b: readonly number[]): number =>
    a.reduce((sum, i) => sum + b.reduce((part, j) => part + distances[i][j], 0), 0) / (a.length * b.length);
  while (clusters.length > 1) {
    let best = { first: 0, second: 1, distance: Infinity };
    for (let first = 0; first < clusters.length; first++) {
      for (let second = first + 1; second < clusters.length; second++) {
        const distance = between(clusters[first], clusters[second]);
        if (distance < best.distance) best = { first, second, distance };
      }
    }
    clusters = joinClusters(clusters, best, distances);
  }
  return clusters[0] ?? [];
}

/** Joins two clusters, each turned so that its ends that are most alike meet. */
function joinClusters(
  clusters: readonly number[][],
  { first, second }: { first: number; second: number },
  distances: readonly (readonly number[])[],
): number[][] {
  const [a, b] = [clusters[first], clusters[second]];
  const turns = [
    [a, b],
    [a, b.toReversed()],
    [a.toReversed(), b],
    [a.toReversed(), b.toReversed()],
  ];
  const gap = ([left, right]: number[][]): number => distances[left.at(-1) ?? 0][right[0]];
  const [left, right] = turns.reduce((best, next) => (gap(next) < gap(best) ? next : best));
  return clusters.flatMap((cluster, index) => (index === second ? [] : index === first ? [[...left, ...right]] : [cluster]));
}
