import { InternalError } from "@mbs/contracts";
import type { Receipt } from "../content-address.ts";

/** Items on their way and the receipt of all of them. */
export interface Settling<T> {
  readonly items: AsyncIterable<T>;
  /** Rejects with the source's error, or where the items are not read to their end. */
  readonly receipt: Promise<Receipt>;
}

/** Turns the value that a generator returns at its end into a promise beside its items. */
export function settling<T>(source: AsyncGenerator<T, Receipt>): Settling<T> {
  let resolve!: (receipt: Receipt) => void;
  let reject!: (cause: unknown) => void;
  const receipt = new Promise<Receipt>((onReceipt, onError) => {
    resolve = onReceipt;
    reject = onError;
  });
  receipt.catch(() => {}); // Whoever reads the items sees the same error; the receipt need not be looked at.
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
