/** A llama-like decoder and the tokens that go through it. */
export interface Shape {
  readonly blocks: number;
  readonly width: number;
  /** Width of all query heads together, and of all key heads. */
  readonly queries: number;
  readonly keys: number;
  /** Inner width of the gated MLP. */
  readonly inner: number;
  readonly segments: number;
  readonly length: number;
}

/** Floating-point operations (a multiplication and an addition are two) of each part of a run. */
export interface Operations {
  readonly forward: number;
  readonly grams: number;
  readonly factors: number;
  readonly compress: number;
}

/** A site's input, and the weights that read it. */
interface Site {
  readonly width: number;
  /** Of all weights together. */
  readonly rows: number;
  readonly weights: number;
}

const sitesOf = ({ width, queries, keys, inner }: Shape): readonly Site[] => [
  { width, rows: queries + 2 * keys, weights: 3 },
  { width: queries, rows: width, weights: 1 },
  { width, rows: 2 * inner, weights: 2 },
  { width: inner, rows: width, weights: 1 },
];

const sum = <Item>(items: readonly Item[], of: (item: Item) => number): number =>
  items.reduce((total, item) => total + of(item), 0);

/** Multiplications and additions of one token with all weights of a block. */
const perToken = (sites: readonly Site[]): number => 2 * sum(sites, ({ width, rows }) => width * rows);

/**
 * What has to be computed, in matrix products alone; norms, softmax and activations are left out. Each product once, since a
 * step is walked site by site; attention and Grams count the half that is needed; a site has one factor.
 */
export function neededOperations(shape: Shape): Operations {
  const { blocks, segments, length, queries } = shape;
  const tokens = segments * length;
  const sites = sitesOf(shape);
  return {
    forward: blocks * tokens * (perToken(sites) + 2 * length * queries),
    grams: blocks * tokens * sum(sites, ({ width }) => width ** 2),
    // n³/3 for the factorisation and n³/3 for its triangular inverse
    factors: blocks * sum(sites, ({ width }) => (2 / 3) * width ** 3),
    // the spread of errors over later columns, and half a product for the output before and after
    compress: blocks * sum(sites, ({ width, rows }) => 3 * width ** 2 * rows),
  };
}

/** The same for the usual loop: every block twice, whole attention, a whole Gram and three factorisations a weight. */
export function usualOperations(shape: Shape): Operations {
  const { blocks, segments, length, queries } = shape;
  const tokens = segments * length;
  const sites = sitesOf(shape);
  return {
    forward: 2 * blocks * tokens * (perToken(sites) + 4 * length * queries),
    grams: blocks * tokens * sum(sites, ({ width, weights }) => weights * 2 * width ** 2),
    factors: blocks * sum(sites, ({ width, weights }) => weights * (4 / 3) * width ** 3),
    compress: blocks * sum(sites, ({ width, rows }) => width ** 2 * rows),
  };
}

export const total = (operations: Operations): number => sum(Object.values(operations) as number[], (value) => value);
