/**
 * Runs the tests of one project with uvu, in this process, and writes their counts to PROJECT/test-results.json.
 *
 * usage: node --conditions=mbs-source --import tsx tools/test/run-tests.ts PROJECT [PATTERN]
 *   PROJECT   its folder: packages/solvers, tools
 *   PATTERN   a regular expression; only test files whose path it matches are run
 */
import { rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { resultsName, testFiles } from "./results.ts";
import type { FileResult } from "./results.ts";

/** Runs one suite: text of its errors or true, then how many passed, were skipped, and were to run. */
type SuiteRun = () => Promise<[errors: string | true, passed: number, skipped: number, total: number]>;

// uvu's own way to run many files (its uvu/run does the same): each file appends its suites to its group of the queue.
declare global {
  var UVU_DEFER: number;
  var UVU_INDEX: number;
  var UVU_QUEUE: [name: string | null, ...suites: SuiteRun[]][];
}

const root = resolve(import.meta.dirname, "../..");
const [project, pattern] = process.argv.slice(2);
if (project === undefined) throw new Error("usage: run-tests.ts PROJECT [PATTERN]");

const output = join(root, project, resultsName);
await rm(output, { force: true });

const files = testFiles(root, project).filter((file) => pattern === undefined || new RegExp(pattern).test(file));
if (files.length === 0) throw new Error(`no test file of ${project} matches ${pattern ?? "**/*.test.ts"}`);

const results = new Map<string, FileResult>();
// before uvu is loaded, by a test file or here: otherwise it runs each suite as soon as it is there
globalThis.UVU_DEFER = 1;
globalThis.UVU_QUEUE = [];
const { exec } = await import("uvu");
for (const [index, file] of files.entries()) {
  globalThis.UVU_INDEX = index;
  globalThis.UVU_QUEUE.push([file]);
  await import(join(root, file));
  const [, ...suites] = globalThis.UVU_QUEUE[index] ?? [null];
  if (suites.length === 0) throw new Error(`${file} runs no test: it has to end with test.run()`);
  const counted = suites.map((suite): SuiteRun => async () => {
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
  });
  globalThis.UVU_QUEUE[index] = [file, ...counted];
}

await exec();
await writeFile(output, `${JSON.stringify([...results.values()], null, 2)}\n`);
