import type { ArtifactStore } from "@mbs/artifacts";
import { neededBy } from "@mbs/shared-store";
import type { SharedStore } from "@mbs/shared-store";
import type { RunArtifacts } from "../engine.ts";
import { InputLostError } from "../node-worker.ts";
import type { Traffic } from "../store-traffic.ts";
import { FetchedArtifacts } from "./fetched-artifacts.ts";

export interface SharedArtifactsOptions {
  readonly local: ArtifactStore;
  readonly shared: SharedStore;
  /** Name of the run in the store, the same when it is resumed. */
  readonly run: string;
  /** Says to people which run it is. */
  readonly note: string;
  readonly warn: (message: string) => void;
}

/** A loop that does what has come up since it last began, one round at a time. */
class Rounds {
  readonly #round: () => Promise<void>;
  #isDue = false;
  #going: Promise<void> | undefined;

  constructor(round: () => Promise<void>) {
    this.#round = round;
  }

  /** Resolves when all is done that was there at the call. */
  request(): Promise<void> {
    this.#isDue = true;
    this.#going ??= this.#go().finally(() => (this.#going = undefined));
    return this.#going;
  }

  async #go(): Promise<void> {
    while (this.#isDue) {
      this.#isDue = false;
      await this.#round();
    }
  }
}

/**
 * The artifacts of a run whose nodes run on several machines: the run's own folder, and a store that all of them see. What a
 * node here has made is put into the store when a node elsewhere reads it, and the other way round.
 */
export class SharedArtifacts implements RunArtifacts {
  readonly #options: SharedArtifactsOptions;
  /** What the run needs of the store → its record there, which may be on the way. */
  readonly #needed = new Map<string, Promise<void>>();
  readonly #removed: { readonly address: string; readonly after: Promise<unknown> }[] = [];
  readonly #needs: Rounds;
  readonly #removals: Rounds;
  readonly #copies: FetchedArtifacts;
  #put = 0;

  constructor(options: SharedArtifactsOptions) {
    this.#options = options;
    this.#copies = new FetchedArtifacts(options);
    this.#needs = new Rounds(() => this.#writeNeeds());
    this.#removals = new Rounds(() => this.#removeShared());
  }

  /** What this machine has moved. */
  get traffic(): Traffic {
    return { fetched: this.#copies.fetched, put: this.#put };
  }

  path(address: string): string {
    return this.#options.local.path(address);
  }

  async has(address: string): Promise<boolean> {
    return (await this.#options.local.has(address)) || this.isShared(address);
  }

  /** Whether an artifact is in the store; from now on the run needs it. */
  async isShared(address: string, signal?: AbortSignal): Promise<boolean> {
    await this.#need(address);
    return this.#options.shared.has(address, { signal });
  }

  #need(address: string): Promise<void> {
    const known = this.#needed.get(address);
    if (known !== undefined) return known;
    // a round writes what is in the map when it begins
    const written = Promise.resolve().then(() => this.#needs.request());
    this.#needed.set(address, written);
    written.catch(() => {
      if (this.#needed.get(address) === written) this.#needed.delete(address);
    });
    return written;
  }

  async #writeNeeds(): Promise<void> {
    const { shared, run, note } = this.#options;
    await shared.writeNeeds({ run, note, addresses: [...this.#needed.keys()] });
  }

  /** Puts artifacts of this machine into the store. @throws {InputLostError} on one that is in neither */
  async publish(addresses: readonly string[], signal: AbortSignal): Promise<void> {
    const { local, shared } = this.#options;
    for (const address of addresses) {
      if (await this.isShared(address, signal)) continue;
      if (!(await local.has(address))) throw new InputLostError(`${shared.where(address)} is not there any more`, [address]);
      await local.flush();
      this.#put += await shared.put(address, local.path(address), { signal });
    }
  }

  /** Brings artifacts from the store into the run's folder. @throws as FetchedArtifacts.bring */
  bring(addresses: readonly string[]): Promise<void> {
    return this.#copies.bring(addresses);
  }

  /** Runs a node on artifacts of the run's folder. @throws as FetchedArtifacts.reading */
  reading<T>(addresses: readonly string[], signal: AbortSignal, node: () => Promise<T>): Promise<T> {
    return this.#copies.reading(addresses, signal, node);
  }

  /** Removes what others have lost and is damaged in the run's folder, too, so that it counts as lost. */
  removeDamaged(addresses: readonly string[]): Promise<readonly string[]> {
    return this.#copies.removeDamaged(addresses);
  }

  /** Removes an artifact here, and from the store where no other run needs it. */
  remove(address: string, after: Promise<unknown> = Promise.resolve()): void {
    this.#options.local.remove(address, after);
    this.#needed.delete(address);
    this.#removed.push({ address, after });
    // what fails is only not removed: mbs store prune does it later
    this.#removals
      .request()
      .catch((error: unknown) =>
        this.#options.warn(`not removed from the store: ${error instanceof Error ? error.message : String(error)}`),
      );
  }

  async #removeShared(): Promise<void> {
    const { shared, run } = this.#options;
    const removed = this.#removed.splice(0);
    if (removed.length === 0) return;
    await Promise.all(removed.map(({ after }) => after));
    const others = neededBy(await shared.readNeeds({ except: run }));
    for (const { address } of removed) {
      // made again since, as another node's output
      if (this.#needed.has(address) || others.has(address)) continue;
      await shared.remove(address);
    }
    await this.#needs.request();
  }

  async flush(): Promise<void> {
    await this.#options.local.flush();
    await this.#removals.request();
  }

  /** The run is over, and needs nothing of the store any more. */
  async release(): Promise<void> {
    const { shared, run } = this.#options;
    await this.#removals.request();
    await this.#needs.request();
    await shared.removeNeeds(run);
  }
}
