import { mkdir, readdir, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { BadDataError, InternalError, UsageError, type ArtifactStream, type Batch } from "@mbs/contracts";
import { contentAddress } from "../content-address.ts";
import type { Receipt } from "../content-address.ts";
import type { DecodedStream } from "../ipc/decode-stream.ts";
import { encodeStream } from "../ipc/encode-stream.ts";
import { describeArtifact, openArtifact } from "./artifact-file.ts";
import type { StoredArtifact } from "./artifact-file.ts";
import { addressOfName, artifactName, unnamedArtifact } from "./artifact-name.ts";
import { commitTemporary, writeTemporary } from "./atomic-file.ts";
import { gatherBatches, gatheredBatches, heldBatches } from "./held-artifacts.ts";
import type { HeldArtifact } from "./held-artifacts.ts";
import { isMissing, systemError } from "./system-error.ts";
import { removeLeftovers } from "./temporary/temporary-name.ts";

export interface StoreOptions {
  /**
   * Bytes of artifacts that stay in memory, at most a quarter of it for those that have a file too; the oldest go first. Default
   * none. What is in memory is not read from its file, and not hashed again. Longer artifacts are written at once.
   */
  readonly memory?: number;
}

/**
 * When an artifact is written: `now`, batch by batch before `put` returns, and not kept in memory; `behind` what the process
 * does next; or `late`, when its memory is needed or at `flush`. One that is removed before is never written, and one that is
 * not yet written is lost with the process.
 */
export type WriteTime = "now" | "behind" | "late";

export interface PutOptions {
  readonly signal?: AbortSignal;
  /** Default `now`. */
  readonly when?: WriteTime;
  /** Called with the number of bytes before they are written `now`: what it throws ends the put, and nothing is left of it. */
  readonly counted?: (bytes: number) => void;
}

/** What a message tells the user to do about a damaged artifact. */
const remedy = "delete the file and make it again";

/** Share of the memory for artifacts that have a file too. */
const filedShare = 0.25;

/** An artifact in memory and what has been done to write it. */
interface Held extends HeldArtifact {
  /** Its file, or the work on it; undefined where it has not begun. */
  written: Promise<void> | undefined;
}

async function* countedBytes(bytes: AsyncIterable<Uint8Array>, counted: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  for await (const chunk of bytes) {
    counted(chunk.length);
    yield chunk;
  }
}

/** Artifacts in a folder, each a file named by its content address. */
export class ArtifactStore {
  readonly root: string;
  readonly #memory: number;
  readonly #held = new Map<string, Held>();
  #heldBytes = 0;
  /** Files are written and removed behind one after the other. */
  #queue: Promise<void> = Promise.resolve();
  #failure: { readonly cause: unknown } | undefined;

  constructor(root: string, { memory = 0 }: StoreOptions = {}) {
    this.root = root;
    this.#memory = memory;
  }

  /** The path of an artifact, whether it exists or not. */
  path(address: string): string {
    return join(this.root, artifactName(address));
  }

  /**
   * Stores an artifact. The same content again is one file, which replaces one that has been damaged. Unless it is written now, its
   * values are handed over: do not modify them afterwards, nor use a batch’s memory for the next one.
   *
   * @throws as writeArtifact, also for what was to be written or removed behind
   */
  async put(stream: ArtifactStream, { signal, when = "now", counted }: PutOptions = {}): Promise<Receipt> {
    // one at a time is behind: a killed process loses no more than that
    await this.#queue;
    this.#throwFailure();
    if (when === "now") return this.#write(stream, signal, counted);
    const { schema } = stream;
    const gathered = await gatherBatches(stream, this.#memory);
    const source = { schema, batches: gatheredBatches(gathered) };
    if (gathered.rest !== undefined) return this.#write(source, signal);
    const { batches, bytes } = gathered;
    const receipt = await contentAddress(source);
    const { address } = receipt;
    if (this.#held.has(address)) return receipt;
    // what is there counts as written, and may be damaged since it was
    await this.removeDamaged([address]);
    const written = (await this.#isFile(address)) ? Promise.resolve() : undefined;
    const held: Held = { schema, receipt, batches, bytes, written };
    this.#held.set(address, held);
    this.#heldBytes += bytes;
    if (when === "behind") void this.#writeHeld(held);
    await this.#makeSpace();
    return receipt;
  }

  /** Writes all that is only in memory, and finishes what is done behind. @throws as writeArtifact */
  async flush(): Promise<void> {
    for (const held of this.#held.values()) await this.#writeHeld(held);
    await this.#queue;
    this.#throwFailure();
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.cause;
  }

  async #write(stream: ArtifactStream, signal?: AbortSignal, counted?: (bytes: number) => void): Promise<Receipt> {
    // its own folder alone: those around it are gone where someone has deleted them since
    await mkdir(this.root).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code !== "EEXIST") throw systemError(cause, "make", this.root);
    });
    const { bytes, receipt } = encodeStream(stream);
    const content = counted === undefined ? bytes : countedBytes(bytes, counted);
    const temporary = await writeTemporary(join(this.root, unnamedArtifact), content, signal);
    const done = await receipt;
    // also over a file that is there: that one may be damaged since it was written
    await commitTemporary(temporary, this.path(done.address), true);
    return done;
  }

  /** Writes what is held, if nobody has begun to. It never rejects: what fails is thrown by the next `put`, and by `flush`. */
  #writeHeld(held: Held): Promise<void> {
    if (held.written !== undefined) return held.written;
    const { schema } = held;
    const { address } = held.receipt;
    held.written = this.#behind(async () => {
      if (this.#held.get(address) !== held) return;
      const { address: found } = await this.#write({ schema, batches: heldBatches(held, true) });
      if (found !== address) {
        throw new InternalError(`values of ${schema.kind} ${address} were changed after they were handed over`, {
          address,
          found,
        });
      }
    });
    return held.written;
  }

  /** Does work after all that is done behind. It never rejects, see `#failure`. */
  #behind(work: () => Promise<void>): Promise<void> {
    this.#queue = this.#queue.then(work).catch((cause: unknown) => {
      this.#failure ??= { cause };
    });
    return this.#queue;
  }

  /** Frees memory beyond the limit, and that of artifacts with a file beyond a part of it. */
  async #makeSpace(): Promise<void> {
    const filed = [...this.#held].filter(([, { written }]) => written !== undefined);
    let bytes = filed.reduce((sum, [, held]) => sum + held.bytes, 0);
    for (const [address, held] of filed) {
      if (bytes <= this.#memory * filedShare) break;
      await held.written;
      this.#throwFailure();
      this.#forget(address);
      bytes -= held.bytes;
    }
    for (const [address, held] of this.#held) {
      if (this.#heldBytes <= this.#memory) return;
      await this.#writeHeld(held);
      this.#throwFailure();
      this.#forget(address);
    }
  }

  #forget(address: string): void {
    this.#heldBytes -= this.#held.get(address)?.bytes ?? 0;
    this.#held.delete(address);
  }

  /**
   * @param options shared: values that are in memory are not copied; then the reader changes none of them
   * @throws {UsageError} on what is no address, or one that is not in the store
   * @throws {BadDataError} while its batches are read, where the file is damaged or holds something else
   */
  async open(address: string, { shared = false }: { readonly shared?: boolean } = {}): Promise<DecodedStream> {
    const path = this.path(address);
    const held = this.#held.get(address);
    if (held !== undefined) {
      const { schema, receipt } = held;
      return { schema, address, receipt: Promise.resolve(receipt), batches: heldBatches(held, shared) };
    }
    if (!(await this.#isFile(address))) {
      throw new UsageError(`no artifact ${address} in ${this.root}; make it or copy it there first`, { address });
    }
    try {
      const stream = await openArtifact(path);
      return { ...stream, address, batches: this.#ofAddress(stream, path, address) };
    } catch (cause) {
      throw this.#damaged(cause, path);
    }
  }

  async *#ofAddress({ batches, receipt }: DecodedStream, path: string, address: string): AsyncGenerator<Batch> {
    try {
      yield* batches;
    } catch (cause) {
      throw this.#damaged(cause, path);
    }
    const found = (await receipt).address;
    if (found !== address) {
      throw new BadDataError(`${path}: its content has the address ${found}; ${remedy}`, { path, found });
    }
  }

  /** An error about a stored file, with the store's remedy. */
  #damaged(cause: unknown, path: string): unknown {
    if (!(cause instanceof BadDataError)) return cause;
    const { offset } = cause.facts;
    const where = offset === undefined ? "" : ` at byte ${offset}`;
    return new BadDataError(`${path} is damaged${where}; ${remedy}`, { ...cause.facts, path }, { cause });
  }

  /** Whether an artifact is here and whole, as far as reading it again can tell. */
  async isWhole(address: string): Promise<boolean> {
    if (!(await this.has(address))) return false;
    try {
      const { batches } = await this.open(address);
      for await (const batch of batches) void batch;
      return true;
    } catch (cause) {
      if (cause instanceof BadDataError) return false;
      throw cause;
    }
  }

  /** Removes those whose file is damaged. @returns their addresses; their files are gone when it resolves */
  async removeDamaged(addresses: readonly string[]): Promise<readonly string[]> {
    const damaged: string[] = [];
    for (const address of new Set(addresses)) {
      if (!(await this.has(address)) || (await this.isWhole(address))) continue;
      this.remove(address);
      damaged.push(address);
    }
    if (damaged.length > 0) await this.flush();
    return damaged;
  }

  async has(address: string): Promise<boolean> {
    return this.#held.has(address) || (await this.#isFile(address));
  }

  async #isFile(address: string): Promise<boolean> {
    const path = this.path(address);
    try {
      return (await stat(path)).isFile();
    } catch (cause) {
      if (isMissing(cause)) return false;
      throw systemError(cause, "look at", path);
    }
  }

  /**
   * Removes an artifact; a missing one is no error. Its memory is free at once. Its file goes behind, when all that was put
   * before is on the disk, and stays where that failed: who resumes may need it.
   *
   * @param after has to be done before the file goes, too
   */
  remove(address: string, after?: Promise<unknown>): void {
    const path = this.path(address);
    const held = this.#held.get(address);
    this.#forget(address);
    if (held !== undefined && held.written === undefined) return;
    void this.#behind(async () => {
      await after;
      if (this.#failure !== undefined) return;
      try {
        // sooner than rm, which looks at the path first, and waits for the disk
        await unlink(path);
      } catch (cause) {
        if (isMissing(cause)) return;
        throw systemError(cause, "remove", path);
      }
    });
  }

  /** Removes what killed processes left of writing here. */
  async removeLeftovers(): Promise<void> {
    await removeLeftovers(join(this.root, unnamedArtifact));
  }

  /** Addresses of all artifacts that have a file, in their order. */
  async addresses(): Promise<readonly string[]> {
    const names = await readdir(this.root).catch((cause: unknown) => {
      if (isMissing(cause)) return [];
      throw systemError(cause, "list", this.root);
    });
    return names.flatMap((name) => addressOfName(name) ?? []).toSorted();
  }

  /**
   * One artifact that has a file. Of that only the schema and the end are read.
   *
   * @throws where it has none, or cannot be read
   */
  async describe(address: string): Promise<StoredArtifact> {
    const { kind, rows, bytes } = await describeArtifact(this.path(address));
    return { address, kind, rows, bytes };
  }

  /** What work makes of an artifact that others may remove at any time; undefined where they have. */
  async unlessGone<Made>(address: string, work: () => Promise<Made>): Promise<Made | undefined> {
    try {
      return await work();
    } catch (error) {
      if (await this.has(address)) throw error;
      return undefined;
    }
  }
}
