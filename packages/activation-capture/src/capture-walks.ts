import { statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import type { ObjectPool } from "@mbs/contracts";
import { HeldWalk, keepWalk, takeWalk } from "./held-walk.ts";
import type { WalkRequest } from "./held-walk.ts";
import type { SegmentBatch } from "./segment-batches.ts";
import type { StatesOwner } from "./scratch-states.ts";

/** Share of a pool's bytes for walks: the rest is for models. */
const walkShare = 0.5;

/** Share of the free space of the temporary folder: a walk takes it twice, before and after a stage. */
const diskShare = 0.25;

const freeDisk = (): number => {
  const { bavail, bsize } = statfsSync(tmpdir());
  return bavail * bsize;
};

/**
 * The walks of one capture: of the states that it was given, and of the dense model's beside them. It goes on with those that
 * an earlier capture of the block has left, and leaves them for the next stage.
 */
export class CaptureWalks {
  readonly #pool: ObjectPool;
  readonly #requests: readonly WalkRequest[];
  readonly #walks: Map<StatesOwner, HeldWalk>;

  readonly #shards: number;

  private constructor(pool: ObjectPool, requests: readonly WalkRequest[], walks: Map<StatesOwner, HeldWalk>, shards: number) {
    this.#pool = pool;
    this.#requests = requests;
    this.#walks = walks;
    this.#shards = shards;
  }

  /**
   * @param sites that are wanted
   * @param shards of the segments, whose walks may all wait in this pool
   */
  static async take(
    pool: ObjectPool,
    requests: readonly WalkRequest[],
    sites: readonly string[],
    shards: number,
  ): Promise<CaptureWalks> {
    const walks = new Map<StatesOwner, HeldWalk>();
    for (const request of requests) {
      const walk = await takeWalk(pool, request, sites);
      if (walk !== undefined) walks.set(request.origin.owner, walk);
    }
    return new CaptureWalks(pool, requests, walks, shards);
  }

  /** The batches of the states that an earlier capture has walked. */
  get batches(): readonly SegmentBatch[] | undefined {
    return this.#walks.get("own")?.batches;
  }

  /** Begins the walks that are not there yet. */
  begin(batches: readonly SegmentBatch[]): void {
    const count = this.#requests.length * this.#shards;
    const limits = { memory: (this.#pool.limit * walkShare) / count, disk: (freeDisk() * diskShare) / count };
    for (const { origin } of this.#requests) {
      if (!this.#walks.has(origin.owner)) this.#walks.set(origin.owner, new HeldWalk(batches, limits));
    }
  }

  of(owner: StatesOwner): HeldWalk | undefined {
    return this.#walks.get(owner);
  }

  /** Leaves the walks for the next stage. */
  async keep(): Promise<void> {
    for (const request of this.#requests) {
      const walk = this.of(request.origin.owner);
      this.#walks.delete(request.origin.owner);
      if (walk !== undefined) await keepWalk(this.#pool, request, walk);
    }
  }

  /** Gives up the walks that were not kept. */
  async close(): Promise<void> {
    for (const walk of this.#walks.values()) await walk.close();
    this.#walks.clear();
  }
}
