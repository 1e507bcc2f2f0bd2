/** Distinct tokens and, for each token, the index of its value among them. */
export function distinctTokens(tokens: Int32Array): { readonly values: number[]; readonly indices: Int32Array } {
  const seen = new Map<number, number>();
  const indices = tokens.map((token) => {
    const index = seen.get(token) ?? seen.size;
    seen.set(token, index);
    return index;
  });
  return { values: [...seen.keys()], indices };
}
