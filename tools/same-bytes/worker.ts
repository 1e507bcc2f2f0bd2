/**
 * Runs cases and sends what they made to the process that started it, with a file as its standard output: what commands print is
 * read from there.
 */
import { cases } from "./cases.ts";
import { CommandLine } from "./command-line.ts";
import type { Recorded } from "./compare-records.ts";
import { writeFixtures } from "./fixtures.ts";
import { runCase } from "./run-case.ts";

/** What one case made, or why it made nothing. */
export interface CaseResult {
  readonly name: string;
  readonly made?: Recorded;
  readonly error?: string;
  /** Of all processors together. */
  readonly seconds: number;
}

const [work = "", log = "", ...names] = process.argv.slice(2);
await writeFixtures(work);
const shell = new CommandLine(work, log);
for (const one of cases.filter(({ name }) => names.includes(name))) {
  const started = process.cpuUsage();
  const took = (): number => {
    const { user, system } = process.cpuUsage(started);
    return (user + system) / 1e6;
  };
  try {
    const made = await runCase(one, work, shell);
    process.send?.({ name: one.name, made, seconds: took() } satisfies CaseResult);
  } catch (error) {
    process.send?.({
      name: one.name,
      error: error instanceof Error ? error.message : String(error),
      seconds: took(),
    } satisfies CaseResult);
  }
}
shell.close();
process.disconnect?.();
