import { mkdir, open, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { BadDataError, UsageError, type ArtifactStream, type Batch } from "@mbs/contracts";
import type { Receipt } from "../content-address.ts";
import { once } from "../ipc/byte-reader.ts";
import { decodeEnd, endSearchSize } from "../ipc/decode-end.ts";
import { decodeStream, type DecodedStream } from "../ipc/decode-stream.ts";
import { encodeStream } from "../ipc/encode-stream.ts";
import { metadataLimit, prefixSize } from "../ipc/frame.ts";
import { openArtifact } from "./artifact-file.ts";
import { commitTemporary, writeTemporary } from "./atomic-file.ts";
import { RecentBytes } from "./recent-bytes.ts";
import { isMissing, systemError } from "./system-error.ts";
import { isTemporaryOf, removeLeftovers } from "./temporary/temporary-name.ts";

export interface StoredArtifact {
  readonly address: string;
  readonly kind: string;
  readonly rows: number;
  /** Size of its file. */
  readonly bytes: number;
}

const extension = ".arrow";
/** What is being written has no address yet. */
const unnamed = "artifact";
const storedName = /^[0-9a-f]{64}\.arrow$/;

/** Whether a store gives such names to its files; files of other names are not its own. */
export const isStoreName = (name: string): boolean => storedName.test(name) || isTemporaryOf(unnamed, name);

function requireAddress(address: string): void {
  if (!/^[0-9a-f]{64}$/.test(address)) {
    throw new UsageError(`${JSON.stringify(address.slice(0, 80))} is no address: 64 digits 0-9a-f are`, {
      address: address.slice(0, 80),
    });
  }
}

export interface StoreOptions {
  /** What a message tells the user to do about a damaged artifact. */
  readonly remedy?: string;
  /**
   * Bytes of artifacts that stay in memory after they were written, those of the longest ago first to go; default none. One
   * that is read while it is there is not read from its file, and not hashed again.
   */
  readonly recentBytes?: number;
}

/** Artifacts in a folder, each a file named by its content address. */
export class ArtifactStore {
  readonly root: string;
  readonly #remedy: string;
  readonly #recent: RecentBytes;

  constructor(root: string, { remedy = "delete the file and make it again", recentBytes = 0 }: StoreOptions = {}) {
    this.root = root;
    this.#remedy = remedy;
    this.#recent = new RecentBytes(recentBytes);
  }

  /** The path of an artifact, whether it exists or not. */
  path(address: string): string {
    requireAddress(address);
    return join(this.root, address + extension);
  }

  /**
   * Stores an artifact. The same content again changes nothing.
   *
   * @throws as writeArtifact
   */
  async put(stream: ArtifactStream, { signal }: { readonly signal?: AbortSignal } = {}): Promise<Receipt> {
    try {
      await mkdir(this.root, { recursive: true });
    } catch (cause) {
      throw systemError(cause, "make", this.root);
    }
    const { bytes, receipt } = encodeStream(stream);
    const noted = this.#recent.note(bytes);
    const temporary = await writeTemporary(join(this.root, unnamed), noted.bytes, signal);
    const done = await receipt;
    if (await this.has(done.address)) await rm(temporary);
    else await commitTemporary(temporary, this.path(done.address), true);
    noted.keep(done.address);
    return done;
  }

  /**
   * @throws {UsageError} on what is no address, or one that is not in the store
   * @throws {BadDataError} while its batches are read, where the file is damaged or holds something else
   */
  async open(address: string): Promise<DecodedStream> {
    const path = this.path(address);
    if (!(await this.has(address))) {
      throw new UsageError(`no artifact ${address} in ${this.root}; make it or copy it there first`, { address });
    }
    const recent = this.#recent.get(address);
    if (recent !== undefined) return { ...(await decodeStream(Readable.from(recent), { verify: false })), address };
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
      throw new BadDataError(`${path}: its content has the address ${found}; ${this.#remedy}`, { path, found });
    }
  }

  /** An error about a stored file, with the store's remedy. */
  #damaged(cause: unknown, path: string): unknown {
    if (!(cause instanceof BadDataError)) return cause;
    const { offset } = cause.facts;
    const where = offset === undefined ? "" : ` at byte ${offset}`;
    return new BadDataError(`${path} is damaged${where}; ${this.#remedy}`, { ...cause.facts, path }, { cause });
  }

  async has(address: string): Promise<boolean> {
    const path = this.path(address);
    try {
      return (await stat(path)).isFile();
    } catch (cause) {
      if (isMissing(cause)) return false;
      throw systemError(cause, "look at", path);
    }
  }

  /** Removes an artifact; a missing one is no error. */
  async remove(address: string): Promise<void> {
    const path = this.path(address);
    this.#recent.remove(address);
    try {
      await rm(path, { force: true });
    } catch (cause) {
      throw systemError(cause, "remove", path);
    }
  }

  /** Removes what killed processes left of writing here. */
  async removeLeftovers(): Promise<void> {
    await removeLeftovers(join(this.root, unnamed));
  }

  /** All artifacts by address. Of each file only the schema and the end are read. */
  async list(): Promise<readonly StoredArtifact[]> {
    const names = await readdir(this.root).catch((cause: unknown) => {
      if (isMissing(cause)) return [];
      throw systemError(cause, "list", this.root);
    });
    const addresses = names.filter((name) => storedName.test(name)).map((name) => name.slice(0, 64));
    const listed: StoredArtifact[] = [];
    for (const address of addresses.toSorted()) listed.push(await this.#describe(address));
    return listed;
  }

  async #describe(address: string): Promise<StoredArtifact> {
    const path = this.path(address);
    const file = await open(path, "r");
    try {
      const { size: bytes } = await file.stat();
      const read = async (position: number, length: number): Promise<Buffer> => {
        const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
        return buffer.subarray(0, bytesRead);
      };
      const { schema } = await decodeStream(once(await read(0, Math.min(bytes, prefixSize + metadataLimit))));
      const tail = await read(Math.max(0, bytes - endSearchSize), Math.min(bytes, endSearchSize));
      const { rows } = await decodeEnd(tail, schema, path);
      return { address, kind: schema.kind, rows, bytes };
    } catch (cause) {
      throw systemError(cause, "read", path);
    } finally {
      await file.close();
    }
  }
}
