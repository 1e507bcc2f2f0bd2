/**
 * What work gives, asked for once in a process by a key. Work that failed is done again when it is next asked for.
 *
 * @param known what was asked for so far
 * @throws what the work throws
 */
export function once<Result>(known: Map<string, Promise<Result>>, key: string, work: () => Promise<Result>): Promise<Result> {
  const asked = known.get(key);
  if (asked !== undefined) return asked;
  const result = work();
  known.set(key, result);
  result.catch(() => known.delete(key));
  return result;
}
