import type { OptionTable } from "@mbs/contracts";
import { openSharedStore } from "@mbs/shared-store";
import type { SharedStore } from "@mbs/shared-store";

/** Options of every command on a store. */
export const storeOptions = {
  store: {
    kind: "text",
    placeholder: "PLACE",
    description: "a folder, or s3://BUCKET/PREFIX with credentials, region and endpoint as the tools of AWS take them",
  },
  json: { kind: "flag", description: "print JSON" },
} as const satisfies OptionTable;

/** Does something with a store, and closes it. */
export async function withStore<T>(place: string, work: (store: SharedStore) => Promise<T>): Promise<T> {
  const store = await openSharedStore(place);
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}
