/**
 * Which block of neighbouring columns each block is, where columns are in another order.
 *
 * @param order place → column
 * @param values columns of a block; they divide the length of the order
 * @returns place → block; undefined where a block gets the columns of several, or its own in another order
 */
export function movedBlocks(order: Int32Array, values: number): Int32Array | undefined {
  const starts = Int32Array.from({ length: order.length / values }, (_, block) => order[block * values] ?? -1);
  const areWhole =
    starts.every((start) => start % values === 0) &&
    order.every((column, place) => column === (starts[Math.floor(place / values)] ?? -1) + (place % values));
  return areWhole ? starts.map((start) => start / values) : undefined;
}
