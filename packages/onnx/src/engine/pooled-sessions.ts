import type { Device, ObjectPool, Poolable } from "@mbs/contracts";
import { createSession } from "./session.ts";
import type { Session, SessionOptions } from "./session.ts";

/** What a session of one small graph holds without an arena, about, in bytes. */
const sessionBytes = 64 * 1024;

/** Sessions by the name of their graph, each made at first use. One user at a time. */
export class Sessions implements Poolable {
  readonly #key: string;
  readonly #options: SessionOptions;
  readonly #pool: ObjectPool | undefined;
  readonly #made = new Map<string, Promise<Session>>();

  constructor(key: string, options: SessionOptions, pool: ObjectPool | undefined) {
    this.#key = key;
    this.#options = options;
    this.#pool = pool;
  }

  get bytes(): number {
    return this.#made.size * sessionBytes;
  }

  get(name: string, graph: () => Uint8Array): Promise<Session> {
    const session = this.#made.get(name) ?? createSession(graph(), { ...this.#options, name });
    this.#made.set(name, session);
    return session;
  }

  /** Leaves them to the next user, or frees them where there is no pool. */
  async release(): Promise<void> {
    await (this.#pool === undefined ? this.close() : this.#pool.put(this.#key, this));
  }

  async close(): Promise<void> {
    const open = await Promise.all(this.#made.values());
    this.#made.clear();
    await Promise.all(open.map((session) => session.release()));
  }
}

/**
 * Those that an earlier user of this kind has left in the pool, or new ones.
 *
 * @param device where they run; what they make on a graphics processor stays there
 */
export function takeSessions(kind: string, threads: number, pool: ObjectPool | undefined, device: Device = "cpu"): Sessions {
  const key = `sessions of ${kind}, ${threads} threads${device === "cpu" ? "" : `, ${device}`}`;
  const kept = pool?.take(key);
  return kept instanceof Sessions ? kept : new Sessions(key, { threads, device, keepsOutputs: true }, pool);
}
