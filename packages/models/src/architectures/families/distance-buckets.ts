const { fround, log, trunc } = Math;

/** How far apart two tokens may stand in each bucket of T5's positions. */
export interface DistanceBuckets {
  /** Rows of the table of biases. */
  readonly buckets: number;
  /** Distances from here on share a bucket. */
  readonly farthest: number;
  /** Whether keys after the query have buckets of their own; else all of them have that of the query itself. */
  readonly bidirectional: boolean;
}

/**
 * Bucket of a key that stands `distance` tokens after the query: one for each small distance, then wider and wider ones.
 * Computed in float32, as T5 was trained.
 *
 * @see arXiv:1910.10683 §2.1
 */
export function distanceBucket(distance: number, { buckets, farthest, bidirectional }: DistanceBuckets): number {
  const side = bidirectional ? Math.floor(buckets / 2) : buckets;
  const first = bidirectional && distance > 0 ? side : 0;
  const away = bidirectional ? Math.abs(distance) : Math.max(0, -distance);
  const exact = Math.floor(side / 2);
  if (away < exact) return first + away;
  const octaves = fround(fround(log(fround(away / exact))) / fround(log(farthest / exact)));
  return first + Math.min(side - 1, exact + trunc(fround(octaves * (side - exact))));
}
