import { at, InternalError } from "@mbs/contracts";

/** Tokens of several texts, in which texts that begin alike share the tokens of their common beginning. */
export interface TokenTree {
  readonly tokens: Int32Array;
  /** The row of the token before each one; -1 where it begins a text. Always a lower row. */
  readonly parents: Int32Array;
  /** Position of each token in its text: 0, 1, … */
  readonly positions: Int32Array;
}

/** How many tokens two texts have in common at their beginning. */
export function commonPrefix(one: Int32Array, other: Int32Array): number {
  const most = Math.min(one.length, other.length);
  let length = 0;
  while (length < most && one[length] === other[length]) length++;
  return length;
}

/**
 * Puts texts into one tree. Each shares what it has in common with the text before it, so that in sorted texts every common
 * beginning is there once.
 *
 * @param texts token ids, each at least one
 * @returns the tree, and of each text the row of each of its tokens
 */
export function plantTree(texts: readonly Int32Array[]): { readonly tree: TokenTree; readonly rows: readonly Int32Array[] } {
  const [tokens, parents, positions]: [number[], number[], number[]] = [[], [], []];
  const rows: Int32Array[] = [];
  let before: { text: Int32Array; rows: Int32Array } = { text: new Int32Array(), rows: new Int32Array() };
  for (const text of texts) {
    const own = new Int32Array(text.length);
    const common = commonPrefix(before.text, text);
    own.set(before.rows.subarray(0, common));
    for (let position = common; position < text.length; position++) {
      own[position] = tokens.length;
      tokens.push(at(text, position));
      parents.push(position === 0 ? -1 : at(own, position - 1));
      positions.push(position);
    }
    rows.push(own);
    before = { text, rows: own };
  }
  const tree = { tokens: Int32Array.from(tokens), parents: Int32Array.from(parents), positions: Int32Array.from(positions) };
  return { tree, rows };
}

/** Length of the longest text in a tree. */
export const longestText = ({ positions }: TokenTree): number =>
  positions.reduce((most, position) => Math.max(most, position + 1), 0);

/** @throws {InternalError} where a token does not follow its parent */
export function checkTree({ tokens, parents, positions }: TokenTree): void {
  for (const row of tokens.keys()) {
    const [parent, position] = [at(parents, row), at(positions, row)];
    if (parent < -1 || parent >= row || position !== (parent < 0 ? 0 : at(positions, parent) + 1)) {
      throw new InternalError(`token ${row} of a tree at position ${position} cannot follow token ${parent}`);
    }
  }
}

/** Whether a tree has texts of both kinds: up to `limit` tokens, and longer. */
export function mixesLengths({ parents, positions }: TokenTree, limit: number): boolean {
  const followed = new Set(parents);
  const lengths = [...positions].flatMap((position, row) => (followed.has(row) ? [] : [position + 1]));
  return lengths.some((length) => length <= limit) && lengths.some((length) => length > limit);
}

/**
 * What is added to the scores of a tree: 0 where the key is the query, or one of the `window` - 1 tokens before it in its
 * text, and `hidden` elsewhere.
 *
 * @param range queries, from the first up to but not including the last, and the keys that there are; default all
 * @returns [queries, keys], queries in rows
 */
export function treeMask(
  { parents }: TokenTree,
  window: number,
  hidden: number,
  { first = 0, end = parents.length }: { readonly first?: number; readonly end?: number } = {},
): Float32Array {
  const mask = new Float32Array((end - first) * end).fill(hidden);
  for (let query = first; query < end; query++) {
    const row = (query - first) * end;
    for (let key = query, seen = 0; key >= 0 && seen < window; key = at(parents, key), seen++) mask[row + key] = 0;
  }
  return mask;
}

/**
 * The token `distance` before each one in its text.
 *
 * @param range of tokens, from the first up to but not including the last
 * @returns for each 1 + its row, or 0 where the text has none
 */
export function ancestorsOf(
  { parents }: TokenTree,
  distance: number,
  { first, end }: { readonly first: number; readonly end: number },
): Int32Array {
  return Int32Array.from({ length: end - first }, (_, token) => {
    let row = first + token;
    for (let step = 0; step < distance && row >= 0; step++) row = at(parents, row);
    return row + 1;
  });
}

/**
 * Cuts the queries of a tree into chunks, as equal as they can be.
 *
 * @returns of each chunk its first query, the query after its last, and the first key that any of its queries may see
 */
export function treeChunks({ parents }: TokenTree, chunks: number): Int32Array {
  const size = parents.length;
  const roots = new Int32Array(size);
  for (const [row, parent] of parents.entries()) roots[row] = parent < 0 ? row : at(roots, parent);
  const bounds = new Int32Array(3 * chunks);
  for (let chunk = 0; chunk < chunks; chunk++) {
    const [first, end] = [Math.floor((chunk * size) / chunks), Math.floor(((chunk + 1) * size) / chunks)];
    const start = roots.subarray(first, end).reduce((lowest, root) => Math.min(lowest, root), first);
    bounds.set([first, end, start], 3 * chunk);
  }
  return bounds;
}
