import type { Job, Worker } from "bullmq";
import type { Redis } from "ioredis";
import { bullPrefix, unreadableName } from "../queue-names.ts";
import { loadBullmq } from "../queue-packages.ts";

/** Fields of BullMQ's jobs that those of a run do not have. With some values the server cannot end such a job. */
const otherFields = ["parent", "parentKey", "rjk", "deid"];

const keyOf = ({ name }: Worker, end: string): string => `${bullPrefix}:${name}:${end}`;
const lockOf = (queue: Worker, id: string): string => keyOf(queue, `${id}:lock`);

/** Whether a job that a worker has got with a token is one that it can end: locked under its own name, without what no run writes. */
export async function isPlainJob(redis: Redis, queue: Worker, id: string, token: string): Promise<boolean> {
  const others = await redis.hmget(keyOf(queue, id), ...otherFields);
  return others.every((value) => value === null) && (await redis.get(lockOf(queue, id))) === token;
}

/** Reads a job. @returns why it is none, where someone else has written it */
async function readJob(redis: Redis, queue: Worker, id: string, token: string): Promise<Job | string> {
  const { Job: BullJob } = await loadBullmq();
  try {
    const job: Job | undefined = await BullJob.fromId(queue, id);
    const isPlain = job?.id === id && (await isPlainJob(redis, queue, id, token));
    return isPlain ? job : "it has another's name, or what no job of a run has";
  } catch (cause) {
    if (cause instanceof SyntaxError || cause instanceof TypeError) return cause.message;
    throw cause;
  }
}

/**
 * The job that a worker has got with a token, where BullMQ did not give it out. One that cannot be read or ended would stay with the
 * worker until its lock ends, then go to the head of the queue, and so on for ever. So an empty job takes its place, which can fail
 * as others do; what is no job at all is taken out of the queue.
 *
 * @returns undefined where there is none; why it could not be read, where it is an empty one
 */
export async function heldJob(
  redis: Redis,
  queue: Worker,
  token: string,
): Promise<{ readonly job: Job; readonly unreadable?: string } | undefined> {
  const active = keyOf(queue, "active");
  for (const id of await redis.lrange(active, 0, -1)) {
    if ((await redis.get(lockOf(queue, id))) !== token) continue;
    const key = keyOf(queue, id);
    if ((await redis.type(key)) !== "hash") {
      await redis.multi().lrem(active, 0, id).del(lockOf(queue, id)).exec();
      return undefined;
    }
    const job = await readJob(redis, queue, id, token);
    if (typeof job !== "string") return { job };
    const empty = { name: unreadableName, data: "{}", opts: "{}", timestamp: Date.now(), delay: 0, priority: 0 };
    await redis.multi().del(key).hset(key, empty).exec();
    const again = await readJob(redis, queue, id, token);
    return typeof again === "string" ? undefined : { job: again, unreadable: job };
  }
  return undefined;
}
