/** Runs test files with uvu in this process, and sends their FileResults to the process that started it. */
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { stripVTControlCharacters } from "node:util";
import type { Failure, FileResult } from "./results.ts";

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

/**
 * Processor seconds so far of this process and of the programs that it started and that have ended. Only Linux says the latter:
 * elsewhere they are those of this process alone.
 */
function processorSeconds(): number {
  if (!existsSync("/proc/self/stat")) return Object.values(process.cpuUsage()).reduce((sum, part) => sum + part, 0) / 1e6;
  // proc(5): utime, stime, cutime and cstime are fields 14 to 17, in ticks of 10 ms; the name of field 2 may hold spaces
  const fields = readFileSync("/proc/self/stat", "utf8")
    .replace(/^.*\) /s, "")
    .split(" ");
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / 100;
}

/** The tests that failed, from the text that uvu prints about them: it gives their names nowhere else. */
function readFailures(errors: string): Failure[] {
  const heads = stripVTControlCharacters(errors).matchAll(/^ {3}FAIL {2}(?:(.+?) {2})?"(.+)"\n {4}(.*)$/gm);
  return Array.from(heads, ([, suite, name, error = ""]) => ({ test: [suite, name].filter(Boolean).join(": "), error }));
}

/** The same suite, counted under its file. */
const counted =
  (file: string, suite: SuiteRun): SuiteRun =>
  async () => {
    const [begun, used] = [performance.now(), processorSeconds()];
    const result = await suite();
    const [errors, passed, skipped, total] = result;
    const failures = errors === true ? [] : readFailures(errors);
    // of an error in a hook uvu says nothing, and calls the suite sound
    const unheard = total - passed - failures.length;
    const why = errors === true ? "were not run, since a hook failed" : "failed: see above; or were not run, since a hook failed";
    if (unheard > 0) failures.push({ test: `${unheard} tests`, error: why });
    const before = results.get(file) ?? { file, passed: 0, failed: 0, skipped: 0, failures: [], seconds: 0, processorSeconds: 0 };
    results.set(file, {
      file,
      passed: before.passed + passed,
      failed: before.failed + total - passed,
      skipped: before.skipped + skipped,
      failures: [...before.failures, ...failures],
      seconds: Math.round(1000 * before.seconds + performance.now() - begun) / 1000,
      processorSeconds: Math.round(100 * (before.processorSeconds + processorSeconds() - used)) / 100,
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
if ([...results.values()].some(({ failed }) => failed > 0)) process.exitCode = 1;
process.send?.([...results.values()]);
process.disconnect?.();
// what is open still, as a socket of a failed test, would keep everything waiting
setTimeout(() => {
  console.error(`open a minute after the last test: ${[...new Set(process.getActiveResourcesInfo())].join(", ")}`);
  process.exit(1);
}, 60_000).unref();
