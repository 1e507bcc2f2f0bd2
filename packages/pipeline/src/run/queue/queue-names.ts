import { quoted, UsageError } from "@mbs/contracts";

/** In front of BullMQ's keys. */
export const bullPrefix = "mbs";

/** In front of all other keys and channels. */
const own = "mbs-run";

/** What a class of processors, a label or a worker may be called: a part of a queue's name. */
export const namePattern = /^[A-Za-z0-9][A-Za-z0-9.-]{0,99}$/;

/** @param what "a label" @throws {UsageError} on a name that cannot be a part of a queue's */
export function requireName(name: string, what: string): void {
  if (!namePattern.test(name)) throw new UsageError(`${quoted(name)} is no name of ${what}: letters, digits, "." and "-" are`);
}

/** The class of a run that takes workers of any. */
export const mixedClass = "mixed";

/**
 * Who can work together, as a part of a queue's name: those of one version of the program that have the same key, or none.
 *
 * @param keyName as QueueSeal has it
 */
export const circleOf = (version: string, keyName: string | undefined): string =>
  `mbs-${version.replaceAll(/[^A-Za-z0-9.-]/g, "-")}${keyName === undefined ? "" : `.key-${keyName}`}`;

/** Names of queues. Only workers of a class and a circle take its jobs. */
export const queueNames = {
  ofClass: (processors: string, circle: string): string => `class.${processors}.${circle}`,
  ofLabel: (label: string, processors: string, circle: string): string => `label.${label}.${processors}.${circle}`,
  ofWorker: (id: string): string => `worker.${id}`,
};

/** The queues that a worker takes jobs from, the most urgent first. */
export const queuesOf = (
  { id, processors, labels }: { readonly id: string; readonly processors: string; readonly labels: readonly string[] },
  circle: string,
): readonly string[] => [
  queueNames.ofWorker(id),
  ...[processors, mixedClass].flatMap((each) => [
    ...labels.map((label) => queueNames.ofLabel(label, each, circle)),
    queueNames.ofClass(each, circle),
  ]),
];

/** Whether a queue can be one of these. */
export const isQueueName = (name: string): boolean => /^(?:class|label|worker)\.[A-Za-z0-9.-]+$/.test(name);

/** Keys beside the queues. */
export const keys = {
  /** What a worker says of itself; it expires soon after the worker is gone. */
  worker: (id: string): string => `${own}:worker:${id}`,
  anyWorker: `${own}:worker:*`,
  /** What a job of this key has made. */
  result: (key: string): string => `${own}:result:${key}`,
  /** The files of a model in the store, as one artifact, where a run has published it. */
  model: (address: string): string => `${own}:model:${address}`,
  /** The runs that wait for a job. */
  askers: (id: string): string => `${own}:askers:${id}`,
  /** Written to find out whether the server takes it. */
  written: `${own}:written`,
};

/** Channels: what workers tell the runs, and the other way round. What is missed there is found out by looking again. */
export const channels = { news: `${own}:news`, orders: `${own}:orders` };

/** Milliseconds. */
export interface QueueTimings {
  /** After which the job of a worker that does not renew its lock is given to another. */
  readonly lock: number;
  /** Between two looks for such jobs. */
  readonly stalled: number;
  /** Between two looks at jobs, also without any news. */
  readonly poll: number;
  /** After which a worker that says nothing counts as gone. */
  readonly presence: number;
  /** That a job waits for the worker which has its inputs at hand. */
  readonly follow: number;
  /** Before a job is tried again whose worker's process ended; twice as long the next time. */
  readonly backoff: number;
}

export const usualTimings: QueueTimings = {
  lock: 20_000,
  stalled: 10_000,
  poll: 2000,
  presence: 15_000,
  follow: 30_000,
  backoff: 1000,
};

/** Name of the job that takes the place of one which cannot be read. */
export const unreadableName = "unreadable";

/** How often a job is begun before it fails for good. */
export const mostAttempts = 3;
