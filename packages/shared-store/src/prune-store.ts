import { DeniedError, UsageError } from "@mbs/contracts";
import { requireRun } from "./run-needs.ts";
import type { KeptArtifact, KeptNeeds, SharedStore, StoreCall } from "./shared-store.ts";

/** What is known of a store before anything is removed. */
export interface StoreOverview {
  readonly artifacts: readonly KeptArtifact[];
  readonly needs: readonly KeptNeeds[];
  /** The time by the store's clock. */
  readonly now: Date;
}

/** Lists a store, with what its runs need. */
export async function readOverview(store: SharedStore, call: StoreCall = {}): Promise<StoreOverview> {
  const [now, needs] = [await store.now(call), await store.readNeeds(call)];
  const artifacts: KeptArtifact[] = [];
  for await (const artifact of store.list(call)) artifacts.push(artifact);
  return { artifacts: artifacts.toSorted((one, other) => (one.address < other.address ? -1 : 1)), needs, now };
}

/** Names of the runs that need each artifact. */
export function neededBy(needs: readonly KeptNeeds[]): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const { run, addresses } of needs) {
    for (const address of addresses) found.set(address, [...(found.get(address) ?? []), run]);
  }
  return found;
}

export interface PruneOptions extends StoreCall {
  /** Milliseconds: what is younger stays, since a run may have put it and not yet recorded that it needs it. */
  readonly olderThan: number;
  /** Runs that are over or will not go on: their records are removed, and what they alone needed is not needed. */
  readonly release?: readonly string[];
  /** Finds out what would be removed, and removes nothing. */
  readonly dryRun?: boolean;
  /** Called after each few artifacts. */
  readonly onRemoved?: (done: number, total: number) => void;
}

export interface Pruned {
  readonly removed: readonly KeptArtifact[];
  /** What stays because a run needs it. */
  readonly needed: readonly KeptArtifact[];
  /** What stays because it is young. */
  readonly young: readonly KeptArtifact[];
  /** Puts that never ended; undefined where the user has no right to look for them. */
  readonly unfinished: number | undefined;
  readonly released: readonly string[];
}

/** Artifacts that are removed between two readings of what runs need. */
const together = 16;

/**
 * Artifacts to remove, a few at a time, with what runs need as it is read just before: a run that starts meanwhile keeps what
 * it names.
 */
export async function* removalBatches(
  artifacts: readonly KeptArtifact[],
  readNeeds: () => Promise<readonly KeptNeeds[]>,
): AsyncGenerator<{ readonly batch: readonly KeptArtifact[]; readonly needs: readonly KeptNeeds[] }> {
  for (let start = 0; start < artifacts.length; start += together) {
    yield { batch: artifacts.slice(start, start + together), needs: await readNeeds() };
  }
}

/**
 * Removes artifacts that are old and that no run needs.
 *
 * @throws {UsageError} on a run to release that the store does not know, or in a folder that is no shared store
 * @throws {BadDataError} where the record of a run cannot be read: then nothing is removed
 */
export async function pruneStore(store: SharedStore, options: PruneOptions): Promise<Pruned> {
  const { olderThan, release = [], dryRun = false, onRemoved = () => {}, signal } = options;
  await store.requirePrunable({ signal });
  const { artifacts, needs, now } = await readOverview(store, { signal });
  for (const run of release) {
    requireRun(run);
    if (needs.some((known) => known.run === run)) continue;
    throw new UsageError(`${store.place} knows no run ${run}; mbs store list --store ${store.place} names those that it knows`, {
      run,
    });
  }
  const before = new Date(now.getTime() - olderThan);
  const remaining = (all: readonly KeptNeeds[]) => neededBy(all.filter(({ run }) => !release.includes(run)));
  const known = remaining(needs);
  const needed = artifacts.filter(({ address }) => known.has(address));
  const young = artifacts.filter(({ address, modified }) => !known.has(address) && modified >= before);
  const candidates = artifacts.filter(({ address, modified }) => !known.has(address) && modified < before);
  const removed: KeptArtifact[] = [];
  if (!dryRun) for (const run of release) await store.removeNeeds(run, { signal });
  const batches = dryRun ? [{ batch: candidates, needs }] : removalBatches(candidates, () => store.readNeeds({ signal }));
  for await (const { batch, needs: latest } of batches) {
    const still = remaining(latest);
    needed.push(...batch.filter(({ address }) => still.has(address)));
    const free = batch.filter(({ address }) => !still.has(address));
    if (!dryRun) await Promise.all(free.map(({ address }) => store.remove(address, { signal })));
    removed.push(...free);
    if (!dryRun) onRemoved(removed.length, candidates.length);
  }
  const unfinished = await store.removeUnfinished(before, { dryRun, signal }).catch((cause: unknown) => {
    if (cause instanceof DeniedError) return undefined;
    throw cause;
  });
  return { removed, needed, young, unfinished, released: release };
}
