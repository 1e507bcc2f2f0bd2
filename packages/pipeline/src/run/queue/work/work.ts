import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { hostname } from "node:os";
import { makeFolder, makeTemporaryFolder, withLock } from "@mbs/artifacts";
import { availableProcessors } from "@mbs/contracts";
import { openSharedStore } from "@mbs/shared-store";
import { parsePublished } from "../messages.ts";
import type { WorkerCard } from "../messages.ts";
import { processorClass } from "../../processor-class.ts";
import { atMost, connectQueue, unlessStopped } from "../queue-connection.ts";
import type { QueueConnection } from "../queue-connection.ts";
import { bullPrefix, keys, queueNames, queuesOf, requireName, usualTimings } from "../queue-names.ts";
import { removeLeftQueues } from "../left-queues.ts";
import { JobRunner } from "./job-runner.ts";
import { JobSource } from "./job-source.ts";
import { QueueWorker, goodbyeMs } from "./queue-worker.ts";
import type { WorkOptions } from "./queue-worker.ts";

/** A short name of this process that is a part of a queue's name. */
const newId = (): string =>
  `${hostname()
    .replaceAll(/[^A-Za-z0-9]+/g, "-")
    .slice(0, 40)}-${process.pid}-${randomBytes(3).toString("hex")}`.replace(/^-+/, "");

/** Calls with a folder that no other worker has. */
async function withFolder<T>(given: string | undefined, work: (folder: string) => Promise<T>): Promise<T> {
  if (given !== undefined) {
    await makeFolder(given, "make --cache");
    return withLock(given, () => work(given));
  }
  const folder = await makeTemporaryFolder();
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Takes jobs of a queue, one at a time, and runs each in a process of its own, until the signal fires. This process itself does
 * nothing that takes long, so that it can renew the locks of its jobs.
 *
 * @returns how many jobs it has taken
 * @throws as connectQueue and openSharedStore
 */
export async function work(options: WorkOptions): Promise<number> {
  const { labels = [], store: place, warn, say, stages, modelRoot, cacheLimit, memory, command, jobLimit } = options;
  for (const label of labels) requireName(label, "a label");
  const timings = { ...usualTimings, ...options.timings };
  const processors = processorClass(options.device);
  const id = newId();
  const name = `${hostname()} (process ${process.pid})`;
  const { version: mbs } = options;
  const card: WorkerCard = { id, name, processors, labels, threads: availableProcessors(), mbs, hasTrouble: false };
  return withFolder(options.cache, async (folder) => {
    const store = await openSharedStore(place, { create: true });
    let connection: QueueConnection | undefined;
    let source: JobSource | undefined;
    let runner: JobRunner | undefined;
    let presence: NodeJS.Timeout | undefined;
    try {
      connection = await unlessStopped(connectQueue(options, warn, options.signal), options.signal);
      if (connection === undefined) return 0;
      const { redis, seal, version, circle } = connection;
      const artifactOf = async (model: string): Promise<string | undefined> =>
        parsePublished(model, await redis.get(keys.model(model)), seal);
      runner = await JobRunner.open({
        name: `worker ${name}`,
        rules: { seal, version, stages },
        store,
        modelRoot,
        artifactOf,
        folder,
        cacheLimit,
        memory,
        device: options.device,
        command,
        warn,
        jobLimit,
      });
      const own = queuesOf(card, circle);
      source = await unlessStopped(
        JobSource.open(connection, own, id, { timings, warn, signal: options.signal }),
        options.signal,
      );
      if (source === undefined) return 0;
      const worker = new QueueWorker(options, timings, { connection, store, source, runner, card });
      presence = worker.startPresence();
      // only what nobody needs any more stays where this fails
      void removeLeftQueues(connection).catch(() => undefined);
      say(`takes jobs for ${processors} from ${connection.place}, queue ${bullPrefix}:${queueNames.ofClass(processors, circle)}`);
      const done = await worker.runJobs();
      await worker.leave();
      return done;
    } finally {
      clearInterval(presence);
      await runner?.close();
      if (source !== undefined) await atMost(source.close(), goodbyeMs);
      connection?.close();
      await store.close();
    }
  });
}
