import type { StoreCall } from "../shared-store.ts";
import { asked } from "./s3-connection.ts";
import type { S3Connection } from "./s3-connection.ts";
import { StrangeAnswerError } from "./s3-errors.ts";

/** A page of a list. */
export interface Page<Item, Place> {
  readonly items: readonly Item[];
  /** Whether another one follows; undefined where the answer was no list. */
  readonly isTruncated: boolean | undefined;
  /** Where that begins. */
  readonly next: Place | undefined;
}

/**
 * All items of a list that comes in pages. What is missing in one seems to be gone, or needed by no run, so it must be whole.
 *
 * @param ask for the page that begins at a place, for the first one without
 * @param where the list is, for messages
 */
export async function* itemsOf<Item extends object, Place>(
  connection: S3Connection,
  ask: (place: Place | undefined) => Promise<Page<Item, Place>>,
  where: string,
  call: StoreCall,
): AsyncGenerator<Item> {
  let before: string | undefined;
  const check = (page: Page<Item, Place>): Page<Item, Place> => {
    const { items, isTruncated, next } = page;
    if (isTruncated === undefined) throw new StrangeAnswerError("with no list");
    const end = JSON.stringify(items.at(-1) ?? next);
    if (isTruncated && (next === undefined || end === before)) throw new StrangeAnswerError("with a list that does not go on");
    before = end;
    return page;
  };
  let place: Place | undefined;
  do {
    const page = await asked(connection, ask(place).then(check), "list", where, call);
    yield* page.items;
    place = page.isTruncated === true ? page.next : undefined;
  } while (place !== undefined);
}
