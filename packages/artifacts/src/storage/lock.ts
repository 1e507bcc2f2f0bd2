import { InternalError } from "@mbs/contracts";
/** Runs fn while this process alone holds the lock of a path. */
export function withLock<T>(_path: string, _fn: () => Promise<T>): Promise<T> {
  throw new InternalError("soon");
}
