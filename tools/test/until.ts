import { setTimeout as wait } from "node:timers/promises";

/** Milliseconds: far more than a loaded machine needs for anything that a test waits for. */
const patience = 600_000;

/**
 * Waits until something holds, however long a loaded machine takes. Where it never does, the test fails instead of waiting
 * without end.
 *
 * @param what ends the sentence "waited in vain until …"
 */
export async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (const end = performance.now() + patience; !(await holds()); await wait(10)) {
    if (performance.now() > end) throw new Error(`waited ${patience / 1000} s in vain until ${what}`);
  }
}
