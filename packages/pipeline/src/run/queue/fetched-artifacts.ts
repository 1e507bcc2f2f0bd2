import { makeFolder } from "@mbs/artifacts";
import type { ArtifactStore } from "@mbs/artifacts";
import { BadDataError, InputOutputError, UsageError } from "@mbs/contracts";
import { verifyArtifact } from "@mbs/shared-store";
import type { SharedStore } from "@mbs/shared-store";
import { InputLostError } from "../node-worker.ts";

export interface FetchedOptions {
  readonly local: ArtifactStore;
  readonly shared: SharedStore;
  /** A line on what was damaged here, and what is done about it. */
  readonly warn: (line: string) => void;
  /** Called with each artifact that is needed as soon as it is here. */
  readonly onHere?: (address: string) => Promise<void>;
}

const isMissing = (error: unknown): boolean => error instanceof UsageError && error.facts["missing"] === true;

/** How often a node is run whose inputs are damaged here while it reads them. */
const mostTries = 3;

/**
 * Artifacts of a folder of this machine, fetched from a shared store when a node needs them. A file that is there is not read
 * first: its reader hashes it anyway, and a node that fails is run again when what was damaged has been fetched again. In a store on
 * the same file system the two are one file, so that they are damaged together.
 */
export class FetchedArtifacts {
  readonly #options: FetchedOptions;
  #fetched = 0;

  constructor(options: FetchedOptions) {
    this.#options = options;
  }

  /** Bytes that were fetched so far. */
  get fetched(): number {
    return this.#fetched;
  }

  /**
   * Fetches what is not here.
   *
   * @throws {InputLostError} with all that the store does not have, or not whole: that is removed
   * @throws {InputOutputError} where an artifact is whole in the store and not on this machine's disk
   */
  async bring(addresses: readonly string[], signal?: AbortSignal): Promise<void> {
    const { local, shared, onHere } = this.#options;
    const lost = new Map<string, string>();
    let cause: unknown;
    for (const address of addresses) {
      try {
        if (!(await local.has(address))) {
          await makeFolder(local.root);
          this.#fetched += await shared.get(address, local.path(address), { signal });
        }
        await onHere?.(address);
      } catch (error) {
        const isGone = isMissing(error);
        if (!isGone && !(error instanceof BadDataError)) throw error;
        if (!isGone) await this.#removeLost(address, signal);
        lost.set(address, `${shared.where(address)} ${isGone ? "is not there" : "was damaged and is removed"}`);
        cause ??= error;
      }
    }
    if (lost.size > 0) throw new InputLostError([...lost.values()].join(", "), [...lost.keys()], { cause });
  }

  /** Removes from the store what arrived damaged: who makes it again would otherwise find this one there. */
  async #removeLost(address: string, signal: AbortSignal | undefined): Promise<void> {
    const { local, shared } = this.#options;
    // what arrived was read from the disk here, which may be what damages it
    const cause = await verifyArtifact(shared, address, { signal }).then(
      () => undefined,
      (error: unknown) => error,
    );
    if (cause === undefined) {
      throw new InputOutputError(
        `${shared.where(address)} is whole, and its copy at ${local.path(address)} was damaged; check the disk of this machine`,
        { address },
      );
    }
    // another reader has removed it meanwhile
    if (isMissing(cause)) return;
    if (!(cause instanceof BadDataError)) throw cause;
    await shared.remove(address, { signal });
  }

  /** Removes those that are damaged here. @returns their addresses */
  async removeDamaged(addresses: readonly string[]): Promise<readonly string[]> {
    const { local, shared, warn } = this.#options;
    const damaged = await local.removeDamaged(addresses);
    for (const address of damaged) warn(`${local.path(address)}, a copy of ${shared.where(address)}, was damaged and is removed`);
    return damaged;
  }

  /** Runs a node when its inputs are here, and again where one of them turned out to be damaged. @throws as bring, and the node */
  async reading<T>(addresses: readonly string[], signal: AbortSignal, node: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      await this.bring(addresses, signal);
      try {
        return await node();
      } catch (cause) {
        if (!(cause instanceof BadDataError) || tries === mostTries) throw cause;
        if ((await this.removeDamaged(addresses)).length === 0) throw cause;
      }
    }
  }
}
