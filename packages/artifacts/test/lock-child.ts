// Takes the lock of the path given, says so, and holds it with a blocked event loop until it is killed.
import { withLock } from "@mbs/artifacts";

const [, , path] = process.argv;
if (path === undefined) throw new Error("usage: lock-child PATH");
await withLock(path, async () => {
  await new Promise<void>((written) => process.stdout.write("locked\n", () => written()));
  for (;;);
});
