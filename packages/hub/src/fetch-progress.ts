import type { Progress } from "@mbs/contracts";

const megabytes = (bytes: number): number => Math.round(bytes / 1e5) / 10;

/** What is shown while the bytes of a file come. @param total absent where only a part of it is fetched */
export const fetchProgress = (path: string, bytes: number, total?: number): Progress => ({
  activity: `fetch ${path}`,
  done: megabytes(bytes),
  ...(total !== undefined && { total: megabytes(total) }),
  unit: "MB",
});
