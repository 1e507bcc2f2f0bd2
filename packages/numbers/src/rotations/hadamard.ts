import { at } from "@mbs/contracts";

/** An order of Hadamard matrices that is no power of two, and the prime q whose residues make it. */
interface PaleyOrder {
  readonly order: number;
  readonly prime: number;
}

/** How a Hadamard matrix of some order is made: Sylvester's doubling of one of Paley's, or of [1]. */
interface Construction {
  readonly paley: PaleyOrder | undefined;
  readonly doublings: number;
}

function isPrime(value: number): boolean {
  for (let divisor = 2; divisor * divisor <= value; divisor += 1) if (value % divisor === 0) return false;
  return value > 1;
}

/** Paley's first construction has order q + 1 for q = 3 (mod 4), his second 2(q + 1) for q = 1 (mod 4). */
function paleyOf(order: number): PaleyOrder | undefined {
  const first = order - 1;
  if (first % 4 === 3 && isPrime(first)) return { order, prime: first };
  const second = order / 2 - 1;
  return second % 4 === 1 && isPrime(second) ? { order, prime: second } : undefined;
}

function constructionOf(size: number): Construction | undefined {
  if (!Number.isInteger(size) || size < 1) return undefined;
  let doublings = 0;
  let order = size;
  while (order % 2 === 0) {
    order /= 2;
    doublings += 1;
  }
  if (order === 1) return { paley: undefined, doublings };
  for (; doublings >= 0; doublings -= 1, order *= 2) {
    const paley = paleyOf(order);
    if (paley !== undefined) return { paley, doublings };
  }
  return undefined;
}

/** Quadratic residues of a prime: 0 for 0, 1 for squares, -1 for others, by remainder. */
function characters(prime: number): Int8Array {
  const character = new Int8Array(prime).fill(-1);
  for (let root = 0; root < prime; root += 1) character[(root * root) % prime] = 1;
  character[0] = 0;
  return character;
}

/** Jacobsthal's matrix with a border: zeros on the diagonal, ±1 elsewhere, [prime + 1, prime + 1]. */
function conference(prime: number): Int8Array {
  const character = characters(prime);
  const size = prime + 1;
  // symmetric where -1 is a square (prime = 1 mod 4), else skew
  const mirrored = prime % 4 === 1 ? 1 : -1;
  return Int8Array.from({ length: size * size }, (_, index) => {
    const [row, column] = [Math.floor(index / size), index % size];
    if (row === column) return 0;
    if (row === 0) return 1;
    if (column === 0) return mirrored;
    return at(character, (row - column + prime) % prime);
  });
}

/** [order, order], entries ±1 */
function paleyMatrix({ order, prime }: PaleyOrder): Int8Array {
  const bordered = conference(prime);
  const size = prime + 1;
  if (order === size) {
    for (let index = 0; index < size; index += 1) bordered[index * size + index] = 1;
    return bordered;
  }
  // 0 becomes [1 -1; -1 -1], and ±1 the same sign of [1 1; 1 -1]
  return Int8Array.from({ length: order * order }, (_, index) => {
    const [row, column] = [Math.floor(index / order), index % order];
    const [top, left] = [row % 2 === 0, column % 2 === 0];
    const entry = at(bordered, Math.floor(row / 2) * size + Math.floor(column / 2));
    if (entry === 0) return top && left ? 1 : -1;
    return top || left ? entry : -entry;
  });
}

/** Sylvester's [H H; H -H]. */
function doubled(matrix: Int8Array, order: number): Int8Array {
  const size = 2 * order;
  return Int8Array.from({ length: size * size }, (_, index) => {
    const [row, column] = [Math.floor(index / size), index % size];
    const entry = at(matrix, (row % order) * order + (column % order));
    return row >= order && column >= order ? -entry : entry;
  });
}

/** Whether `hadamard` can make a matrix of this order. */
export const hasHadamard = (order: number): boolean => constructionOf(order) !== undefined;

/**
 * A Hadamard matrix: entries ±1, H·Hᵀ = order·I. Orders are powers of two times those of Paley's constructions over prime
 * fields, which cover 2ᵏ times most multiples of 4: 12, 20, 28, 36, 44, 52 = 4·13 only doubled, …
 *
 * @param order ≥ 1
 * @returns [order, order], row-major; undefined where none of these constructions has the order
 * @see R. E. A. C. Paley, On Orthogonal Matrices, J. Math. Phys. 12 (1933)
 */
export function hadamard(order: number): Int8Array | undefined {
  const construction = constructionOf(order);
  if (construction === undefined) return undefined;
  const { paley, doublings } = construction;
  let size = paley?.order ?? 1;
  let matrix = paley === undefined ? Int8Array.of(1) : paleyMatrix(paley);
  for (let doubling = 0; doubling < doublings; doubling += 1, size *= 2) matrix = doubled(matrix, size);
  return matrix;
}
