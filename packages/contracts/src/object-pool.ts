import { splitKept } from "./memory.ts";

/** Something open that can be used again: a model with its files and sessions. */
export interface Poolable {
  /** Memory that it holds, native memory too: about, in bytes. */
  readonly bytes: number;
  close(): Promise<void>;
}

/**
 * What stays open between the stages of one process, so that a stage need not open again what an earlier one has opened.
 *
 * The pool holds idle objects only. Who takes one has it alone and gives it back, or closes it. So two users never share an
 * object, and none is closed while it is in use. Whether it still is what its key names is for the taker to check.
 */
export interface ObjectPool {
  /** Bytes of all idle objects together. What would exceed it is closed, that of the longest ago first. */
  readonly limit: number;
  /** The object of a key that was put last, which leaves the pool; undefined where none is idle. */
  take(key: string): Poolable | undefined;
  /** Keeps an object until it is taken, or closes it: where it does not fit below the limit, or the pool is closed. */
  put(key: string, object: Poolable): Promise<void>;
  /** Closes all that is idle, and from now on whatever is put. */
  close(): Promise<void>;
}

export function createObjectPool(limit = splitKept().pool): ObjectPool {
  /** In the order in which they were put. */
  let idle: { readonly key: string; readonly object: Poolable; readonly bytes: number }[] = [];
  let closed = false;

  return {
    limit,
    take(key) {
      const index = idle.findLastIndex((entry) => entry.key === key);
      return index < 0 ? undefined : idle.splice(index, 1)[0]?.object;
    },
    async put(key, object) {
      const { bytes } = object;
      if (closed || bytes > limit) return object.close();
      idle.push({ key, object, bytes });
      const surplus: Poolable[] = [];
      for (let held = idle.reduce((sum, entry) => sum + entry.bytes, 0); held > limit;) {
        const oldest = idle.shift();
        if (oldest === undefined) break;
        held -= oldest.bytes;
        surplus.push(oldest.object);
      }
      for (const oldest of surplus) await oldest.close();
    },
    async close() {
      closed = true;
      const open = idle;
      idle = [];
      const results = await Promise.allSettled(open.map(({ object }) => object.close()));
      for (const result of results) if (result.status === "rejected") throw result.reason;
    },
  };
}
