import type { StageContext } from "./stage.ts";

/** What an action throws. @throws where it does not */
export async function failure(run: () => Promise<unknown>): Promise<Error> {
  try {
    await run();
  } catch (error) {
    return error as Error;
  }
  throw new Error("expected a failure");
}

/** A context for tests of stages: one thread, and nothing is shown. @param own what differs */
export const testContext = (own: Partial<StageContext> = {}): StageContext => ({
  signal: new AbortController().signal,
  progress: () => undefined,
  warn: () => undefined,
  threads: 1,
  ...own,
});
