// Puts artifacts into a store, gets them and removes them, again and again, until it is killed. A dot for each that was done.
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { TryAgainError, UsageError } from "@mbs/contracts";
import { openSharedStore } from "@mbs/shared-store";

const [, , place, files, got] = process.argv;
if (place === undefined || files === undefined || got === undefined) throw new Error("usage: worker-child PLACE FILES GOT");
const store = await openSharedStore(place);
const names = await readdir(files);
const done = (): void => void process.stdout.write(".");
for (let turn = 0; ; turn++) {
  for (const name of names) {
    const address = name.slice(0, 64);
    try {
      await store.put(address, join(files, name)).then(done);
      await store.get(address, join(got, name)).then(done);
      if (turn % 2 === 1) await store.remove(address).then(done);
    } catch (cause) {
      // the other worker may have removed it
      const isMissing = cause instanceof UsageError && cause.facts["missing"] === true;
      if (!isMissing && !(cause instanceof TryAgainError)) throw cause;
    }
  }
}
