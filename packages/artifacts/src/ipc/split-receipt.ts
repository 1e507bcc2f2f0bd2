import { InternalError } from "@mbs/contracts";
import type { Receipt } from "../content-address.ts";

/** The items of a stream, and the receipt that is known at its end. */
export interface SplitStream<T> {
  readonly items: AsyncIterable<T>;
  /** Rejects with the source's error, or where the items are not read to their end. */
  readonly receipt: Promise<Receipt>;
}

/** Gives what a generator returns at its end as a promise beside its items. */
export function splitReceipt<T>(source: AsyncGenerator<T, Receipt>): SplitStream<T> {
  let resolve!: (receipt: Receipt) => void;
  let reject!: (cause: unknown) => void;
  const receipt = new Promise<Receipt>((onReceipt, onError) => {
    resolve = onReceipt;
    reject = onError;
  });
  receipt.catch(() => {}); // The same error comes from the items; the receipt may be ignored.
  async function* items(): AsyncGenerator<T> {
    try {
      resolve(yield* source);
    } catch (cause) {
      reject(cause);
      throw cause;
    } finally {
      reject(new InternalError("the artifact was not read to its end"));
    }
  }
  return { items: items(), receipt };
}
