/** The entry of a key, which moves to the end of the map: the first entry is then the one that was used longest ago. */
export function use<Value>(kept: Map<string, Value>, key: string): Value | undefined {
  const found = kept.get(key);
  if (found !== undefined) {
    kept.delete(key);
    kept.set(key, found);
  }
  return found;
}
