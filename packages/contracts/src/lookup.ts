import { InternalError } from "./errors.ts";

/** Items of one key: at least one. */
export type Group<Item> = readonly [Item, ...Item[]];

/** Items by a key, in the order in which keys first come. */
export function groupBy<Item, Key = string>(items: readonly Item[], keyOf: (item: Item) => Key): ReadonlyMap<Key, Group<Item>> {
  const groups = new Map<Key, [Item, ...Item[]]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group) group.push(item);
    else groups.set(keyOf(item), [item]);
  }
  return groups;
}

/**
 * The value of a key that the caller knows to be there.
 *
 * @throws {InternalError} where it is not: a fault of the program, never of its input
 */
export function valueAt<Value>(values: ReadonlyMap<string, Value>, key: string): Value {
  const value = values.get(key);
  if (value === undefined) throw new InternalError(`no value of ${key}`, { key });
  return value;
}

/**
 * The element at an index that the caller knows to be there.
 *
 * @throws {InternalError} where it is not: a fault of the program, never of its input
 */
export function at<T>(values: ArrayLike<T>, index: number): T {
  const value = values[index];
  if (value === undefined)
    throw new InternalError(`no element ${index} among ${values.length}`, { index, length: values.length });
  return value;
}
