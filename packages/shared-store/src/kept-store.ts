import { rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import {
  addressOfName,
  artifactName,
  commitTemporary,
  describeArtifact,
  requireAddress,
  unnamedArtifact,
  writeTemporary,
} from "@mbs/artifacts";
import { BadDataError, TryAgainError, UsageError } from "@mbs/contracts";
import { fileBytes, gather, requireContent, throwIfStopped } from "./artifact-check.ts";
import { needsName, needsText, parseNeeds, requireRun, runOfName } from "./run-needs.ts";
import type { Keeper, KeptArtifact, KeptNeeds, RunNeeds, SharedStore, StoreCall } from "./shared-store.ts";

/** Longest record of a run's needs that is read, in bytes: about a million addresses. */
const longestNeeds = 64 * 1024 * 1024;

/** A shared store over any place that keeps files: names, checks of content and records of runs. */
export class KeptStore implements SharedStore {
  readonly place: string;
  readonly #keeper: Keeper;

  constructor(keeper: Keeper) {
    this.place = keeper.place;
    this.#keeper = keeper;
  }

  where(address: string): string {
    return this.#keeper.where(artifactName(address));
  }

  now(call: StoreCall = {}): Promise<Date> {
    return this.#keeper.now(call);
  }

  async has(address: string, call: StoreCall = {}): Promise<boolean> {
    return (await this.#keeper.find(artifactName(address), call)) !== undefined;
  }

  async put(address: string, path: string, { signal }: StoreCall = {}): Promise<number> {
    const name = artifactName(address);
    const where = this.#keeper.where(name);
    throwIfStopped(signal, "putting", where);
    const { address: stated, bytes } = await describeArtifact(path);
    if (stated !== address) {
      throw new BadDataError(`${path} holds the artifact ${stated}, not ${address}; it is not put`, { path, stated });
    }
    const before = await this.#keeper.find(name, { signal });
    if (before?.bytes === bytes) return 0;
    await this.#keeper.put(name, path, { bytes, replace: before !== undefined, signal });
    const after = await this.#keeper.find(name, { signal });
    if (after?.bytes === bytes) return bytes;
    const found = after === undefined ? "is not there" : `has ${after.bytes} bytes`;
    throw new TryAgainError(`${where} ${found} after ${bytes} bytes were put: the store lost some, or was changed; try again`, {
      where,
      bytes,
    });
  }

  async get(address: string, path: string, { signal }: StoreCall = {}): Promise<number> {
    const name = artifactName(address);
    const where = this.#keeper.where(name);
    throwIfStopped(signal, "getting", where);
    // the path may be in the folder of an ArtifactStore, which knows temporary files by this name
    const beside = join(dirname(path), unnamedArtifact);
    const temporary =
      (await this.#keeper.link?.(name, beside)) ?? (await writeTemporary(beside, await this.#bytes(name, { signal }), signal));
    try {
      await requireContent(fileBytes(temporary), { address, where, place: this.place }, { signal });
      const { size } = await stat(temporary);
      await commitTemporary(temporary, path, true);
      return size;
    } finally {
      // also after success: a rename leaves a link whose file is at the path already
      await rm(temporary, { force: true });
    }
  }

  async *read(address: string, options: StoreCall & { readonly limit?: number } = {}): AsyncGenerator<Uint8Array> {
    yield* await this.#bytes(artifactName(address), options);
  }

  async #bytes(name: string, options: StoreCall & { readonly limit?: number }): Promise<AsyncIterable<Uint8Array>> {
    const bytes = await this.#keeper.read(name, options);
    if (bytes !== undefined) return bytes;
    const where = this.#keeper.where(name);
    throw new UsageError(`${where} is not there; make it, or put it there first`, { where, missing: true });
  }

  async *list(call: StoreCall = {}): AsyncGenerator<KeptArtifact> {
    for await (const { name, bytes, modified } of this.#keeper.list("", (each) => addressOfName(each) !== undefined, call)) {
      const address = addressOfName(name);
      if (address !== undefined) yield { address, bytes, modified };
    }
  }

  async remove(address: string, call: StoreCall = {}): Promise<void> {
    await this.#keeper.remove(artifactName(address), call);
  }

  async writeNeeds(needs: RunNeeds, call: StoreCall = {}): Promise<void> {
    requireRun(needs.run);
    for (const address of needs.addresses) requireAddress(address);
    await this.#keeper.write(needsName(needs.run), Buffer.from(needsText(needs)), call);
  }

  async readNeeds({ except, ...call }: StoreCall & { readonly except?: string } = {}): Promise<readonly KeptNeeds[]> {
    const all: KeptNeeds[] = [];
    const isRead = (name: string): boolean => ![undefined, except].includes(runOfName(name));
    for await (const { name, bytes, modified } of this.#keeper.list("runs/", isRead, call)) {
      const run = runOfName(name);
      if (run === undefined) continue;
      const where = this.#keeper.where(name);
      if (bytes > longestNeeds) throw new BadDataError(`${where} has ${bytes} bytes; no run needs so much: remove it`, { run });
      const content = await this.#keeper.read(name, call);
      // undefined for a run that has ended meanwhile
      if (content !== undefined)
        all.push(parseNeeds((await gather(content, longestNeeds)).toString("utf8"), run, where, modified));
    }
    return all.toSorted((one, other) => (one.run < other.run ? -1 : 1));
  }

  async removeNeeds(run: string, call: StoreCall = {}): Promise<void> {
    requireRun(run);
    await this.#keeper.remove(needsName(run), call);
  }

  requirePrunable(call: StoreCall = {}): Promise<void> {
    return this.#keeper.requirePrunable(call);
  }

  removeUnfinished(before: Date, { dryRun = false, ...call }: StoreCall & { readonly dryRun?: boolean } = {}): Promise<number> {
    return this.#keeper.removeUnfinished(before, { ...call, dryRun });
  }

  close(): Promise<void> {
    return this.#keeper.close();
  }
}
