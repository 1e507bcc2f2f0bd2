import { BadDataError } from "@mbs/contracts";

/** "test-00001-of-00004-0123456789abcdef.parquet" */
const numbered = /^(.*)-(\d+)-of-(\d+)(?=[.-])/;

/**
 * Refuses numbered shards of which some are missing: the split would be shorter, and nobody would notice.
 *
 * @param paths of the files of one split
 * @param where they are, for the message
 * @throws {BadDataError} naming the first one that is missing
 */
export function requireAllShards(paths: readonly string[], where: string): void {
  const seen = new Map<string, Set<number>>();
  for (const path of paths) {
    const [, start, number, count] = numbered.exec(path) ?? [];
    if (start === undefined || number === undefined || count === undefined) continue;
    const key = `${start} of ${count}`;
    seen.set(key, (seen.get(key) ?? new Set()).add(Number(number)));
  }
  for (const [key, numbers] of seen) {
    const count = Number(key.slice(key.lastIndexOf(" ")));
    const from = numbers.has(count) ? 1 : 0;
    for (let number = from; number < from + count; number++) {
      if (numbers.has(number)) continue;
      const start = key.slice(0, key.lastIndexOf(" of "));
      throw new BadDataError(
        `${where} has ${numbers.size} of the ${count} files ${start}-…-of-…, and lacks number ${number}; copy all of them`,
        {
          where,
        },
      );
    }
  }
}
