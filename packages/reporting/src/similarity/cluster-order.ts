import { at } from "@mbs/contracts";

type Distances = readonly (readonly number[])[];

/** Indices of things that stand together, in their order: at least one. */
type Cluster = readonly [number, ...number[]];

const between = (distances: Distances, a: number, b: number): number => at(at(distances, a), b);

/** The mean distance of two clusters. */
const meanDistance = (distances: Distances, a: Cluster, b: Cluster): number =>
  a.reduce((sum, i) => sum + b.reduce((part, j) => part + between(distances, i, j), 0), 0) / (a.length * b.length);

/** The nearest two of several clusters; of equally near ones the pair that comes first. */
function nearestTwo(clusters: readonly Cluster[], distances: Distances): readonly [Cluster, Cluster] | undefined {
  let nearest: readonly [Cluster, Cluster] | undefined;
  let least = Infinity;
  for (const [index, first] of clusters.entries()) {
    for (const second of clusters.slice(index + 1)) {
      const distance = meanDistance(distances, first, second);
      if (nearest && distance >= least) continue;
      nearest = [first, second];
      least = distance;
    }
  }
  return nearest;
}

const turned = ([first, ...others]: Cluster): Cluster => {
  const [last, ...rest] = others.toReversed();
  return last === undefined ? [first] : [last, ...rest, first];
};

/** Joins two clusters, each turned so that its ends that are most alike meet. */
function joined(a: Cluster, b: Cluster, distances: Distances): Cluster {
  const gap = ([left, right]: readonly [Cluster, Cluster]): number => between(distances, at(left, left.length - 1), right[0]);
  const turns: readonly (readonly [Cluster, Cluster])[] = [
    [a, turned(b)],
    [turned(a), b],
    [turned(a), turned(b)],
  ];
  const [left, right] = turns.reduce((best, next) => (gap(next) < gap(best) ? next : best), [a, b] as const);
  return [...left, ...right];
}

/**
 * An order in which alike things stand together: average-linkage clustering, read from left to right. Ties go to the
 * pair that comes first, so the same distances give the same order.
 *
 * @param distances symmetric, [n][n]
 * @returns indices 0 … n-1
 */
export function clusterOrder(distances: Distances): readonly number[] {
  let clusters = distances.map((_, index): Cluster => [index]);
  for (let nearest = nearestTwo(clusters, distances); nearest; nearest = nearestTwo(clusters, distances)) {
    const [first, second] = nearest;
    const both = joined(first, second, distances);
    clusters = clusters.flatMap((cluster) => (cluster === second ? [] : cluster === first ? [both] : [cluster]));
  }
  return clusters[0] ?? [];
}
