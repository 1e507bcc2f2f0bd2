import { MbsError } from "@mbs/contracts";
import * as assert from "uvu/assert";

/** Awaits that a promise fails with an error of ours: one of Node's would be taken for a fault of this program. */
export async function refused(promise: Promise<unknown>, message: RegExp): Promise<void> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.instance(error, MbsError);
  assert.match((error as MbsError).message, message);
}
