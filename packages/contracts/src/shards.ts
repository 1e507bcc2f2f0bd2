import { UsageError } from "./errors.ts";

/**
 * Which shards of a whole something is: `count` of them, from the one at place `first` on. All `of` together are the whole.
 */
export interface Shards {
  readonly first: number;
  readonly count: number;
  readonly of: number;
}

/**
 * The shard that an option names.
 *
 * @param text "2/8", the second of eight; "1/1", or none, is the whole
 * @param flag for messages: "--shard"
 * @returns undefined for the whole
 * @throws {UsageError} on anything else
 */
export function parseShard(text: string | undefined, flag: string): Shards | undefined {
  if (text === undefined) return undefined;
  const [, place = 0, of = 0] = (/^(\d{1,6})\/(\d{1,6})$/.exec(text) ?? []).map(Number);
  if (place < 1 || place > of) {
    throw new UsageError(`${flag} takes PLACE/COUNT, 2/8 for the second of eight, not ${JSON.stringify(text.slice(0, 40))}`, {
      option: flag,
    });
  }
  return of === 1 ? undefined : { first: place - 1, count: 1, of };
}

/** The option of a stage that names a shard. @param flag for messages: "--shard" */
export const shardOption = (flag: string, description: string) =>
  ({
    kind: "text",
    optional: true,
    placeholder: "PLACE/COUNT",
    description,
    check: (text: string) => parseShard(text, flag),
  }) as const;

/** How shards are named in messages: "2/8", "3 to 4 of 8". */
export const nameShards = ({ first, count, of }: Shards): string =>
  count === 1 ? `${first + 1}/${of}` : `${first + 1} to ${first + count} of ${of}`;

/** Where the shards of `length` things in a row begin and end. */
export function rangeOfShards({ first, count, of }: Shards, length: number): { readonly start: number; readonly end: number } {
  const cut = (place: number): number => Math.floor((place * length) / of);
  return { start: cut(first), end: cut(first + count) };
}
