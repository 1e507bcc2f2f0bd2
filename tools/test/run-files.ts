/** Runs test files with uvu in this process, and sends their FileResults to the process that started it. */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { FileResult } from "./results.ts";

/** Runs one suite: text of its errors or true, then how many passed, were skipped, and were to run. */
type SuiteRun = () => Promise<[errors: string | true, passed: number, skipped: number, total: number]>;

// uvu's own way to run many files (its uvu/run does the same): each file appends its suites to its group of the queue.
declare global {
  var UVU_DEFER: number;
  var UVU_INDEX: number;
  var UVU_QUEUE: [name: string | null, ...suites: SuiteRun[]][];
}

const files = process.argv.slice(2);
const results = new Map<string, FileResult>();

/** The same suite, counted under its file. */
const counted =
  (file: string, suite: SuiteRun): SuiteRun =>
  async () => {
    const result = await suite();
    const [, passed, skipped, total] = result;
    const before = results.get(file) ?? { file, passed: 0, failed: 0, skipped: 0 };
    results.set(file, {
      file,
      passed: before.passed + passed,
      failed: before.failed + total - passed,
      skipped: before.skipped + skipped,
    });
    return result;
  };

// before uvu is loaded, by a test file or here: otherwise it runs each suite as soon as it is there
globalThis.UVU_DEFER = 1;
globalThis.UVU_QUEUE = [];
const { exec } = await import("uvu");
for (const [index, file] of files.entries()) {
  globalThis.UVU_INDEX = index;
  globalThis.UVU_QUEUE.push([file]);
  await import(pathToFileURL(resolve(file)).href);
  const [, ...suites] = globalThis.UVU_QUEUE[index] ?? [null];
  if (suites.length === 0) throw new Error(`${file} runs no test: it has to end with test.run()`);
  globalThis.UVU_QUEUE[index] = [file, ...suites.map((suite) => counted(file, suite))];
}
await exec();
process.send?.([...results.values()]);
process.disconnect?.();
