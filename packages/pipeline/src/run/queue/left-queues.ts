import { bullPrefix, isQueueName, keys, queueNames } from "./queue-names.ts";
import { scanKeys } from "./queue-connection.ts";
import { loadBullmq } from "./queue-packages.ts";
import type { QueueConnection } from "./queue-connection.ts";

/**
 * Removes the queues of workers that are gone, whether they left or were killed. A job in them is asked for again by its run, as
 * when the server loses it; so it does no harm where a worker only was away.
 */
export async function removeLeftQueues({ redis }: QueueConnection): Promise<void> {
  const { Queue } = await loadBullmq();
  for await (const names of scanKeys(redis, `${bullPrefix}:${queueNames.ofWorker("*")}:meta`)) {
    for (const name of names) {
      const [, id] = /:worker\.(.+):meta$/.exec(name) ?? [];
      if (id === undefined || !isQueueName(queueNames.ofWorker(id)) || (await redis.exists(keys.worker(id))) === 1) continue;
      const queue = new Queue(queueNames.ofWorker(id), { connection: redis, prefix: bullPrefix, skipMetasUpdate: true });
      // the connection itself tells what is wrong
      queue.on("error", () => undefined);
      try {
        await queue.obliterate({ force: true });
      } finally {
        await queue.close();
      }
    }
  }
}
