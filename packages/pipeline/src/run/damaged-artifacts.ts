import type { ArtifactStore } from "@mbs/artifacts";
import { BadDataError } from "@mbs/contracts";
import { InputLostError } from "./node-worker.ts";

type Store = Pick<ArtifactStore, "path" | "removeDamaged">;

/** @throws {InputLostError} with all that are damaged: they are removed, to be made again */
export async function requireWhole(store: Store, addresses: readonly string[]): Promise<void> {
  const damaged = await store.removeDamaged(addresses);
  if (damaged.length === 0) return;
  const [was, is] = damaged.length === 1 ? ["was", "is"] : ["were", "are"];
  const paths = damaged.map((address) => store.path(address)).join(", ");
  throw new InputLostError(`${paths} ${was} damaged and ${is} removed`, damaged);
}

/**
 * What a node failed of: what it read is looked at once more, all of it, so that what is damaged is made again at once.
 *
 * @param inputs addresses of what it read
 * @returns the error, or {InputLostError} where inputs were damaged
 */
export async function lossBehind(error: unknown, store: Store, inputs: readonly string[]): Promise<unknown> {
  if (!(error instanceof BadDataError)) return error;
  return requireWhole(store, inputs).then(
    () => error,
    (lost: unknown) => lost,
  );
}
