import { access, stat, unlink, utimes } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ArtifactStore, systemError } from "@mbs/artifacts";
import type { Receipt } from "@mbs/artifacts";
import { counted, DeniedError, formatBytes, InputOutputError, totalBytes, TryAgainError } from "@mbs/contracts";
import type { ArtifactStream } from "@mbs/contracts";
import { openSharedStore, removalBatches } from "@mbs/shared-store";
import type { KeptArtifact, SharedStore } from "@mbs/shared-store";
import { repeat } from "./repeat.ts";

/** Milliseconds between two looks at the folder. */
const defaultLookMs = 60_000;

export interface StoreLimits {
  /** Most bytes of all artifacts, those that are being put included. Default: any number. */
  readonly bytes?: number | undefined;
  /** Milliseconds after which an artifact is removed that no call has put or read. Default: none is. */
  readonly expireMs?: number | undefined;
  /** Milliseconds between two looks at what others have put or removed, and at what has expired. */
  readonly lookMs?: number | undefined;
}

/**
 * The artifacts of a server: no more bytes than it may keep, and nothing that nobody uses any more. What a call at work reads, or
 * the record of a run in the same folder names, is not removed.
 */
export class ServedStore {
  readonly artifacts: ArtifactStore;
  readonly #kept: SharedStore;
  readonly #limit: number;
  readonly #expireMs: number | undefined;
  readonly #lookMs: number;
  readonly #log: (line: string) => void;
  /** Bytes by address. */
  #sizes = new Map<string, number>();
  /** Their sum. */
  #stored = 0;
  /** What was put or removed while the folder is being listed: undefined for what was removed. */
  #changes = new Map<string, number | undefined>();
  #arriving = 0;
  /** Calls at work that read an artifact. */
  readonly #uses = new Map<string, number>();
  /** Artifacts that cannot be read, which the log has named. */
  readonly #leftOut = new Set<string>();
  readonly #removals = new Map<string, Promise<void>>();
  #stop = (): void => undefined;

  private constructor(artifacts: ArtifactStore, kept: SharedStore, limits: StoreLimits, log: (line: string) => void) {
    this.artifacts = artifacts;
    this.#kept = kept;
    this.#limit = limits.bytes ?? Infinity;
    this.#expireMs = limits.expireMs;
    this.#lookMs = limits.lookMs ?? defaultLookMs;
    this.#log = log;
  }

  /**
   * @param folder is there
   * @param log called with a line where the store is full, where a look at the folder fails, and where artifacts expire
   * @throws {DeniedError} where artifacts of a run would expire
   */
  static async open(folder: string, limits: StoreLimits, log: (line: string) => void): Promise<ServedStore> {
    if (limits.expireMs !== undefined) await requireNoRun(folder);
    const store = new ServedStore(new ArtifactStore(folder), await openSharedStore(folder), limits, log);
    await store.artifacts.removeLeftovers();
    await store.#list();
    if (store.bytes >= store.#limit) log(`${store.#full(0).message}; until then nothing can be put`);
    return store;
  }

  /** Looks at the folder from time to time, until it is closed. */
  watch(): void {
    this.#stop = repeat(this.#lookMs, () =>
      this.look().catch((error: unknown) => this.#log(`the store: ${error instanceof Error ? error.message : String(error)}`)),
    );
  }

  /** Bytes of all artifacts, those that are being put included. */
  get bytes(): number {
    return this.#stored + this.#arriving;
  }

  /** @throws {InputOutputError} where there is no space for another byte */
  requireSpace(): void {
    if (this.bytes >= this.#limit) throw this.#full(0);
  }

  /**
   * Stores an artifact: all of it, or nothing.
   *
   * @throws {InputOutputError} where the store would have more bytes than it may
   * @throws {TryAgainError} where it expired in the same moment
   * @throws as ArtifactStore.put
   */
  async put(stream: ArtifactStream, signal: AbortSignal): Promise<Receipt> {
    let mine = 0;
    const admit = (bytes: number): void => {
      if (this.bytes + bytes > this.#limit) {
        const error = this.#full(mine, bytes);
        // at once: what this call has put makes place for others that are at work
        this.#arriving -= mine;
        mine = 0;
        throw error;
      }
      mine += bytes;
      this.#arriving += bytes;
    };
    try {
      const receipt = await this.artifacts.put(stream, { signal, counted: admit });
      const { address } = receipt;
      this.#set(address, mine);
      this.#arriving -= mine;
      mine = 0;
      // an old file of the same content may have expired in the same moment, and this one in its place
      await this.#removals.get(address);
      if (await this.artifacts.has(address)) return receipt;
      throw new TryAgainError("the artifact has expired while it was put; put it again", { address });
    } finally {
      this.#arriving -= mine;
    }
  }

  /** Does work that reads artifacts, which stay meanwhile, and count as used now. */
  async using<T>(addresses: readonly string[], work: () => Promise<T>): Promise<T> {
    for (const address of addresses) this.#uses.set(address, (this.#uses.get(address) ?? 0) + 1);
    try {
      for (const address of addresses) await this.#removals.get(address);
      await this.#touch(addresses);
      return await work();
    } finally {
      // from its end on, however long it took
      await this.#touch(addresses);
      for (const address of addresses) {
        const left = (this.#uses.get(address) ?? 1) - 1;
        if (left > 0) this.#uses.set(address, left);
        else this.#uses.delete(address);
      }
    }
  }

  async #touch(addresses: readonly string[]): Promise<void> {
    const now = new Date();
    // of a file of another user the time stays
    for (const address of addresses) await utimes(this.artifacts.path(address), now, now).catch(() => undefined);
  }

  /** Removes an artifact because a client wants it. Calls that read it now go on where the system lets them. */
  async remove(address: string): Promise<void> {
    const path = this.artifacts.path(address);
    // not `ArtifactStore.remove`, which works behind and lets later calls fail where it could not
    await unlink(path).catch((cause: unknown) => {
      throw systemError(cause, "remove", path);
    });
    this.#set(address, undefined);
  }

  /** Says once of an artifact that lists leave it out, and why. */
  leaveOut(address: string, { message }: Error): void {
    if (this.#leftOut.has(address)) return;
    this.#leftOut.add(address);
    this.#log(`the store: ${message}; it is left out of lists`);
  }

  /** Learns what others have put or removed, and removes what has expired. */
  async look(): Promise<void> {
    const found = await this.#list();
    if (this.#expireMs === undefined) return;
    const before = Date.now() - this.#expireMs;
    const expired: KeptArtifact[] = [];
    const old = found.filter(({ modified }) => modified.getTime() < before);
    for await (const { batch, needs } of removalBatches(old, () => this.#kept.readNeeds())) {
      const needed = new Set(needs.flatMap(({ addresses }) => addresses));
      const free = batch.filter(({ address }) => !needed.has(address));
      await Promise.all(
        free.map(async (artifact) => {
          if (await this.#expire(artifact.address, before)) expired.push(artifact);
        }),
      );
    }
    if (expired.length === 0) return;
    this.#log(`the store: ${counted(expired.length, "artifact")} expired, ${formatBytes(totalBytes(expired))}`);
  }

  close(): void {
    this.#stop();
  }

  /** All artifacts, whose sizes are known then. */
  async #list(): Promise<readonly KeptArtifact[]> {
    this.#changes = new Map();
    const found: KeptArtifact[] = [];
    for await (const artifact of this.#kept.list()) found.push(artifact);
    this.#sizes = new Map(found.map(({ address, bytes }) => [address, bytes]));
    this.#stored = totalBytes(found);
    for (const [address, bytes] of this.#changes) this.#set(address, bytes);
    return found;
  }

  /** @param mine bytes that the call itself has put so far @param more bytes that it would put now */
  #full(mine: number, more = 0): InputOutputError {
    const [used, limit, others] = [this.#stored, this.#limit, this.#arriving - mine];
    const has = `the store has ${formatBytes(used)} of at most ${formatBytes(limit)}`;
    const isFullOfOthers = others > 0 && used + mine + more < limit;
    const putting = isFullOfOthers ? ` and other calls are putting ${formatBytes(others)}` : "";
    const remedy = isFullOfOthers
      ? "try again when they have ended, or raise"
      : used === 0
        ? "raise"
        : "delete artifacts that are not needed any more (their files in its --store, or action delete-artifact), or raise";
    return new InputOutputError(`${has}${putting}, which leaves too little for this; ${remedy} --store-limit there`, {
      used,
      limit,
    });
  }

  #set(address: string, bytes: number | undefined): void {
    this.#changes.set(address, bytes);
    this.#leftOut.delete(address);
    this.#stored += (bytes ?? 0) - (this.#sizes.get(address) ?? 0);
    if (bytes === undefined) this.#sizes.delete(address);
    else this.#sizes.set(address, bytes);
  }

  /** Removes an artifact unless a call uses it, or has used it since the folder was listed. @returns whether it did */
  async #expire(address: string, before: number): Promise<boolean> {
    const found = await stat(this.artifacts.path(address)).catch(() => undefined);
    // from here to the removal nothing is awaited: a call that comes now waits for it
    if (found === undefined || found.mtimeMs >= before || this.#uses.has(address)) return false;
    const removal = this.remove(address).finally(() => this.#removals.delete(address));
    this.#removals.set(
      address,
      removal.catch(() => undefined),
    );
    await removal;
    return true;
  }
}

/** @throws {DeniedError} where a run works in the folder: it removes by itself what it does not need */
async function requireNoRun(folder: string): Promise<void> {
  const isRun = await access(join(dirname(folder), "manifest.json")).then(
    () => true,
    () => false,
  );
  if (!isRun) return;
  throw new DeniedError(`--store ${folder} has the artifacts of a run, which must not expire; leave --expire out`, { folder });
}
