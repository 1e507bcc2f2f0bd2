import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { weightsBeside } from "@mbs/contracts";
import type { ObjectPool, Poolable } from "@mbs/contracts";
import { fileStamps } from "./model-address.ts";
import { graphFolders } from "./find-graph.ts";
import type { Forward, Model } from "./model.ts";

/** The files of a folder; a path that is no folder stands for itself. */
async function filesAt(path: string): Promise<readonly string[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => undefined);
  if (entries === undefined) return [path];
  return entries
    .filter((entry) => !entry.isDirectory())
    .map(({ name }) => join(path, name))
    .sort();
}

/** Stamps of all files of which a model is opened, as far as its path tells. */
const pathStamps = async (path: string): Promise<string> =>
  fileStamps((await Promise.all(graphFolders.map((folder) => filesAt(join(path, folder))))).flat());

/** Does work at its first call only. */
function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => (done ??= work());
}

/** A model that stays open between its users, with the forward passes that they have made. */
class PooledModel implements Poolable {
  readonly #model: Model;
  readonly #pathStamps: string;
  readonly #weightStamps: string;
  /** Idle ones, by threads and device. */
  readonly #forwards = new Map<string, Forward>();

  constructor(model: Model, stamps: { readonly path: string; readonly weights: string }) {
    this.#model = model;
    this.#pathStamps = stamps.path;
    this.#weightStamps = stamps.weights;
  }

  /** Opens a model and notes the state of its files: of those that its path tells before they are read. */
  static async open(path: string, open: () => Promise<Model>): Promise<PooledModel> {
    const stamps = await pathStamps(path);
    const model = await open();
    return new PooledModel(model, { path: stamps, weights: await fileStamps(model.weightFiles) });
  }

  get bytes(): number {
    return [...this.#forwards.values()].reduce((sum, forward) => sum + forward.heldBytes(), this.#model.heldBytes);
  }

  /** Whether its files are those that it was opened from. */
  async isCurrent(path: string): Promise<boolean> {
    return (await pathStamps(path)) === this.#pathStamps && (await fileStamps(this.#model.weightFiles)) === this.#weightStamps;
  }

  /** The model for one user, whose `close` gives it back. A forward pass that it closes is kept for the next user. */
  lend(pool: ObjectPool, key: string): Model {
    const model = this.#model;
    const forwards = this.#forwards;
    let isLent = true;
    return {
      ...model,
      forward: async ({ threads, device = "cpu" }) => {
        const kind = `${threads} ${device}`;
        const forward = forwards.get(kind) ?? (await model.forward({ threads, device, weights: weightsBeside(pool.limit) }));
        forwards.delete(kind);
        const close = once(async () => {
          if (isLent && !forwards.has(kind)) forwards.set(kind, forward);
          else await forward.close();
        });
        return { ...forward, close };
      },
      close: once(async () => {
        isLent = false;
        if (this.bytes > pool.limit) await this.#closeForwards();
        await pool.put(key, this);
      }),
    };
  }

  async #closeForwards(): Promise<void> {
    const open = [...this.#forwards.values()];
    this.#forwards.clear();
    for (const forward of open) await forward.close();
  }

  async close(): Promise<void> {
    await this.#closeForwards();
    await this.#model.close();
  }
}

/**
 * A model from a pool, for one user. One whose files have changed since it was opened is closed, and it is opened again.
 *
 * @param path of the folder or file
 * @param open opens it where the pool has none
 */
export async function takeModel(pool: ObjectPool, path: string, open: () => Promise<Model>): Promise<Model> {
  const key = `model ${path}`;
  for (let kept = pool.take(key); kept !== undefined; kept = pool.take(key)) {
    if (kept instanceof PooledModel && (await kept.isCurrent(path))) return kept.lend(pool, key);
    await kept.close();
  }
  return (await PooledModel.open(path, open)).lend(pool, key);
}
