import { bullPrefix, isQueueName, keys, queueNames } from "./queue-names.ts";
import type { QueueConnection } from "./queue-connection.ts";

/**
 * Removes the queues of workers that were killed: one that leaves takes its own along. A job in them is asked for again by its
 * run, as when the server loses it; so it does no harm where a worker only was away.
 */
export async function removeLeftQueues({ redis }: QueueConnection): Promise<void> {
  const { Queue } = await import("bullmq");
  let cursor = "0";
  do {
    const [next, names] = await redis.scan(cursor, "MATCH", `${bullPrefix}:${queueNames.ofWorker("*")}:meta`, "COUNT", 1000);
    cursor = next;
    for (const name of names) {
      const [, id] = /:worker\.(.+):meta$/.exec(name) ?? [];
      if (id === undefined || !isQueueName(queueNames.ofWorker(id)) || (await redis.exists(keys.worker(id))) === 1) continue;
      const queue = new Queue(queueNames.ofWorker(id), { connection: redis, prefix: bullPrefix, skipMetasUpdate: true });
      // the connection itself tells what is wrong
      queue.on("error", () => undefined);
      await queue.obliterate({ force: true });
    }
  } while (cursor !== "0");
}
