import { importOptional } from "@mbs/contracts";

/** What a queue needs beside this program: most people have none. */
export const queuePackages = [
  { name: "bullmq", version: "6.7.0", neededBy: "a queue" },
  { name: "ioredis", version: "5.11.1", neededBy: "a queue" },
] as const;

const [bullmq, ioredis] = queuePackages;

/** @throws {FailedPreconditionError} where it is not installed */
export const loadBullmq = (): Promise<typeof import("bullmq")> => importOptional(() => import("bullmq"), bullmq, queuePackages);

/** @throws {FailedPreconditionError} where it is not installed */
export const loadIoredis = (): Promise<Pick<typeof import("ioredis"), "Redis">> =>
  importOptional(() => import("ioredis"), ioredis, queuePackages);
