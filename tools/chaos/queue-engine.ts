import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { artifactFiles, damageOne } from "./damage.ts";
import { choose, processorCounts } from "./engine.ts";
import type { ChaosEngine, OnNode, Random, Strike } from "./engine.ts";
import { kill, nodeOn, orphansOf, processesOf, start } from "./processes.ts";
import type { Marked } from "./processes.ts";
import { doneNode, program } from "./programs.ts";
import { model } from "./recipe.ts";
import { emptyFolder, redisServer, s3Server, writeSecret } from "./servers.ts";
import type { Redis, S3, Server } from "./servers.ts";

const tsx = ["--import", "tsx"];

/** Longest pause before something that was killed is there again, in milliseconds. */
const longestPause = 1500;
const longestStall = 5000;

type Processors = (typeof processorCounts)[number][0];

/** A worker that is started again whenever it ends, as a service is. */
class KeptWorker {
  readonly #launch: (processors: Processors) => Marked;
  readonly #cache: string;
  #worker: Marked | undefined;
  #keeping: Promise<void> | undefined;
  #isEnding = false;
  /** Of the next start: how long it takes, whether the worker has its cache still, and what it runs on. */
  #next: { pause: number; isNew: boolean; processors: Processors } = { pause: 0, isNew: false, processors: "all" };
  orphans = 0;
  /** Resolves when it has been there for the first time. */
  readonly ready: Promise<void>;
  isReady = (): void => undefined;

  constructor(launch: (processors: Processors) => Marked, cache: string) {
    this.#launch = launch;
    this.#cache = cache;
    this.ready = new Promise((resolve) => (this.isReady = resolve));
  }

  start(): void {
    this.#keeping = this.#keep();
  }

  async #keep(): Promise<void> {
    while (!this.#isEnding) {
      const worker = this.#launch(this.#next.processors);
      this.#worker = worker;
      await worker.ended;
      this.#worker = undefined;
      this.orphans += await orphansOf(worker);
      const { pause, isNew } = this.#next;
      this.#next = { ...this.#next, pause: 0, isNew: false };
      // one that found no server does not try without a pause
      if (!this.#isEnding) await wait(Math.max(100, pause));
      if (isNew) await rm(this.#cache, { recursive: true, force: true });
    }
  }

  /** Kills it, or the process in which its nodes run. @returns whether that was there */
  async kill(random: Random, isNode: boolean): Promise<boolean> {
    const worker = this.#worker;
    if (worker === undefined) return false;
    if (!isNode) {
      const [pause, isNew] = [random() * longestPause, random() < 0.3];
      this.#next = { pause, isNew, processors: choose(random, processorCounts) };
      return kill(worker.pid);
    }
    const node = (await processesOf(worker.mark)).find((pid) => pid !== worker.pid);
    return node !== undefined && kill(node);
  }

  /** Damages an artifact that it has at hand. @returns whether there was one */
  async damageCache(random: Random): Promise<boolean> {
    return damageOne(await artifactFiles(this.#cache), random);
  }

  async end(): Promise<void> {
    this.#isEnding = true;
    if (this.#worker !== undefined) kill(this.#worker.pid);
    await this.#keeping;
  }
}

/** What workers meet the run at: a server that is killed and stalled, or a folder. */
interface Store {
  readonly place: string;
  /** What has the artifacts. */
  readonly folder: string;
  readonly environment: NodeJS.ProcessEnv;
  readonly server?: S3;
  empty(): Promise<void>;
}

async function openStore(kind: "s3" | "folder", folder: string): Promise<Store> {
  if (kind === "folder") return { place: folder, folder, environment: {}, empty: () => emptyFolder(folder) };
  const { server, ...place } = await s3Server(folder);
  return { ...place, folder, server, empty: () => server.empty() };
}

/**
 * `mbs run --engine queue` with two workers, a Redis server and a store: all of them are killed, servers also stall, Redis loses
 * what it has, and artifacts are damaged in the store and in caches. What is started again may have other processors. Jobs are signed.
 */
export class QueueEngine implements ChaosEngine {
  readonly #redis: Redis;
  readonly #store: Store;
  /** Where runs and workers meet, and the key that signs jobs: what programs/ are given. */
  readonly #queue: string;
  readonly #workers: readonly KeptWorker[];
  /** Servers that are down or stalled, until they are there again. */
  readonly #away = new Map<Server, Promise<void>>();
  #isUp = false;
  #onNode: OnNode = () => undefined;

  private constructor(folder: string, redis: Redis, store: Store, keyFile: string, log: (line: string) => void) {
    this.#redis = redis;
    this.#store = store;
    this.#queue = JSON.stringify({ ...redis.place, keyFile });
    this.#workers = [1, 2].map((number) => {
      const cache = join(folder, `cache-${number}`);
      const words = [...tsx, program("queue-worker.ts"), this.#queue, store.place, dirname(model), cache];
      const launch = (processors: Processors): Marked =>
        start(nodeOn(processors, words), {
          environment: store.environment,
          onLine: (line) => {
            log(`worker ${number}: ${line}`);
            if (line.startsWith("takes jobs")) worker.isReady();
            const node = doneNode(line);
            if (node !== undefined) this.#onNode(node);
          },
        });
      const worker = new KeptWorker(launch, cache);
      return worker;
    });
  }

  /** @param log called with what workers and runs say */
  static async open(folder: string, store: "s3" | "folder", log: (line: string) => void): Promise<QueueEngine> {
    const keyFile = join(folder, "key");
    await writeSecret(keyFile);
    const redis = await redisServer(join(folder, "redis"));
    return new QueueEngine(folder, redis, await openStore(store, join(folder, store)), keyFile, log);
  }

  async prepare(onNode: OnNode): Promise<void> {
    this.#onNode = onNode;
    if (this.#isUp) {
      if (!(await this.#redis.flush())) throw new Error("Redis was not emptied");
      await this.#store.empty();
      return;
    }
    this.#isUp = true;
    await Promise.all([this.#redis.start(), this.#store.server?.start()]);
    for (const worker of this.#workers) worker.start();
    await Promise.all(this.#workers.map(({ ready }) => ready));
  }

  startRun(recipe: string, random: Random): Marked {
    const { place, environment } = this.#store;
    const words = [...tsx, program("queue-run.ts"), recipe, this.#queue, place];
    return start(nodeOn(choose(random, processorCounts), words), { environment });
  }

  async strike(run: Marked, random: Random): Promise<Strike | undefined> {
    const at = choose(random, [
      ["coordinator", 5],
      ["worker", 5],
      ["node", 3],
      ["Redis", 3],
      ["store", 3],
      ["stalled Redis", 1],
      ["stalled store", 1],
      ["flushed Redis", 1],
      ["damaged store", 5],
      ["damaged cache", 2],
    ] as const);
    const { server: s3, folder } = this.#store;
    const kept = this.#workers[Math.floor(random() * this.#workers.length)];
    switch (at) {
      case "coordinator":
        return kill(run.pid) ? { at, isKill: true } : undefined;
      case "worker":
      case "node":
        return (await kept?.kill(random, at === "node")) ? { at, isKill: true } : undefined;
      case "Redis":
        return this.#killServer(at, this.#redis, random() * longestPause, random() < 0.3);
      case "store":
        return s3 && this.#killServer(at, s3, random() * longestPause, false);
      case "flushed Redis":
        return (await this.#redis.flush()) ? { at, isKill: false } : undefined;
      case "damaged store":
        return (await damageOne(await artifactFiles(folder), random)) ? { at, isKill: false } : undefined;
      case "damaged cache":
        return (await kept?.damageCache(random)) ? { at, isKill: false } : undefined;
      default: {
        const server = at === "stalled Redis" ? this.#redis : s3;
        if (server === undefined || this.#away.has(server)) return undefined;
        this.#hold(server, server.stall(1000 + random() * (longestStall - 1000)));
        return { at, isKill: false };
      }
    }
  }

  #killServer(at: string, server: Server, pause: number, isEmptied: boolean): Strike | undefined {
    if (this.#away.has(server)) return undefined;
    const restart = async (): Promise<void> => {
      await server.kill();
      await wait(pause);
      if (isEmptied) await server.empty();
      await server.start();
    };
    this.#hold(server, restart());
    return { at: isEmptied ? `${at}, emptied` : at, isKill: true };
  }

  #hold(server: Server, until: Promise<void>): void {
    this.#away.set(
      server,
      until.finally(() => this.#away.delete(server)),
    );
  }

  async settle(): Promise<number> {
    await Promise.all(this.#away.values());
    return this.#takeOrphans();
  }

  #takeOrphans(): number {
    let found = 0;
    for (const worker of this.#workers) {
      found += worker.orphans;
      worker.orphans = 0;
    }
    return found;
  }

  async end(): Promise<number> {
    await Promise.all(this.#away.values());
    await Promise.all(this.#workers.map((worker) => worker.end()));
    await Promise.all([this.#redis.kill(), this.#store.server?.kill()]);
    return this.#takeOrphans();
  }
}
