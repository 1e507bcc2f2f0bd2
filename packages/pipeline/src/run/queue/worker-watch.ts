import { setTimeout as wait } from "node:timers/promises";
import { quoted } from "@mbs/contracts";
import { parseCard, purposes, sealText } from "./messages.ts";
import type { FoundCard, Order, WorkerCard } from "./messages.ts";
import { orStopped, scanKeys, tryWrite } from "./queue-connection.ts";
import type { QueueConnection } from "./queue-connection.ts";
import { channels, keys, mixedClass } from "./queue-names.ts";

/** Milliseconds between two looks for a first worker. */
const lookMs = 500;
/** Milliseconds that a run waits before a warning that no worker is there. */
export const patienceMs = 10_000;

/** The cards of the workers that say that they are there, with their keys. */
export async function* presentCards({ redis, seal }: QueueConnection): AsyncGenerator<readonly [key: string, card: FoundCard]> {
  for await (const names of scanKeys(redis, keys.anyWorker)) {
    const texts = names.length === 0 ? [] : await redis.mget(...names);
    for (const [index, name] of names.entries()) {
      const card = parseCard(name, texts[index] ?? null, seal);
      if (card !== undefined) yield [name, card];
    }
  }
}

/** Workers at most that are named as those that a run cannot have. */
const mostTold = 20;

/** Looks for the workers that a run can have, and names once each one that is there and that it cannot have. */
export class WorkerWatch {
  readonly #connection: QueueConnection;
  readonly #warn: (message: string) => void;
  readonly #told = new Set<string>();

  constructor(connection: QueueConnection, warn: (message: string) => void) {
    this.#connection = connection;
    this.#warn = warn;
  }

  #tell(id: string, message: string): void {
    // anyone who may write to the server can make up workers
    if (this.#told.has(id) || this.#told.size >= mostTold) return;
    this.#told.add(id);
    this.#warn(message);
  }

  /**
   * The workers of this version and key. Those of others hear that a run is here, and say the same on their side.
   *
   * @throws what the server refuses: then workers cannot say that they are there
   */
  async present(): Promise<WorkerCard[]> {
    const { redis, seal, version } = this.#connection;
    await tryWrite(redis);
    const here: Order = { kind: "here", mbs: version };
    await redis.publish(channels.orders, sealText(seal, purposes.orders, here));
    const found: WorkerCard[] = [];
    for await (const [name, card] of presentCards(this.#connection)) {
      if ("foreign" in card) {
        this.#tell(
          name,
          `worker ${quoted(card.foreign)} has another key than this run, or one of them has none, so it gets none of its nodes; give both the same file by --queue-key-file`,
        );
      } else if (card.mbs === version) found.push(card);
      else {
        this.#tell(
          name,
          `worker ${quoted(card.name)} has mbs ${quoted(card.mbs)} and this run ${version}, so it gets none of its nodes; install the same version on both`,
        );
      }
    }
    return found.toSorted((one, other) => (one.id < other.id ? -1 : 1));
  }

  /** Waits for a worker; of a class where one is given. */
  async first(processors: string | undefined, signal: AbortSignal): Promise<WorkerCard> {
    const started = performance.now();
    let isTold = false;
    for (;;) {
      const workers = await orStopped(this.present(), signal);
      const found = workers.find((worker) => processors === undefined || worker.processors === processors);
      if (found !== undefined) return found;
      if (!isTold && performance.now() - started > patienceMs) {
        isTold = true;
        this.#warn(this.#noWorker(processors, workers));
      }
      await orStopped(wait(lookMs), signal);
    }
  }

  /**
   * Warns where no worker of a class is there that jobs wait for.
   *
   * @param labels of these jobs; undefined for one that any worker of the class takes
   * @param told those that it has warned of already
   * @returns those that no worker of the class takes
   */
  async warnOfNone(
    processors: string,
    labels: ReadonlySet<string | undefined>,
    told: ReadonlySet<string | undefined>,
  ): Promise<ReadonlySet<string | undefined>> {
    const workers = await this.present();
    const ofClass = workers.filter((worker) => processors === mixedClass || worker.processors === processors);
    const isTaken = (label: string | undefined): boolean =>
      ofClass.some((worker) => label === undefined || worker.labels.includes(label));
    const untaken = [...labels].filter((label) => !isTaken(label));
    for (const label of untaken) {
      if (told.has(label)) continue;
      const isOfLabel = label !== undefined && ofClass.length > 0;
      this.#warn(isOfLabel ? this.#noLabel(label, ofClass) : this.#noWorker(processors, workers, label));
    }
    return new Set(untaken);
  }

  #noWorker(processors: string | undefined, others: readonly WorkerCard[], label?: string): string {
    const { place } = this.#connection;
    const classes = [...new Set(others.map((other) => other.processors))];
    const found = classes.length === 0 ? "" : `; those that are there are ${classes.join(", ")}`;
    const wanted = processors === undefined ? "worker" : `worker of class ${processors}`;
    const flag = label === undefined ? "" : ` --label ${label},`;
    return `waiting: no ${wanted} that this run takes is at ${place}${found}; start one with mbs work,${flag} the --queue options and the --store of this run, and --model-root`;
  }

  #noLabel(label: string, others: readonly WorkerCard[]): string {
    const labels = [...new Set(others.flatMap((other) => other.labels))];
    const found = labels.length === 0 ? "have none" : `have ${labels.join(", ")}`;
    return `waiting: no worker with the label ${label} is at ${this.#connection.place}; those that are there ${found}; start one with --label ${label}, or correct --worker-labels`;
  }
}
