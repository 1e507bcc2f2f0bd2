/** What is kept under a key, which from then on is the one used last: maps go through their entries in order of use. */
export function use<Value>(kept: Map<string, Value>, key: string): Value | undefined {
  const found = kept.get(key);
  if (found !== undefined) {
    kept.delete(key);
    kept.set(key, found);
  }
  return found;
}
