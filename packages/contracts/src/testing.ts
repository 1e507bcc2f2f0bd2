import type { StageContext } from "./stage.ts";

/** A context for tests of stages: one thread, and nothing is shown. @param own what differs */
export const testContext = (own: Partial<StageContext> = {}): StageContext => ({
  signal: new AbortController().signal,
  progress: () => undefined,
  warn: () => undefined,
  threads: 1,
  ...own,
});
