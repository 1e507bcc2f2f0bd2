/**
 * Adds up what the tests of all projects came to, and fails where a test failed or a test file was not run.
 *
 * usage: node --import tsx tools/test/report-results.ts STATUS RECORD SETS
 *   STATUS   exit code of the nx command that ran them
 *   RECORD   the file in which nx notes how each of its tasks ended
 *   SETS     plain, or all: the slow tests too
 */
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { report } from "./report.ts";
import { projects, resultsName, testFiles } from "./results.ts";
import type { FileResult, TestSet } from "./results.ts";

const root = resolve(import.meta.dirname, "../..");
const [status, record = "", sets = "plain"] = process.argv.slice(2);

/** A JSON file, or what stands for one that was not written. */
const readJson = <T>(path: string, missing: T): T => (existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as T) : missing);

const runSets: readonly TestSet[] = sets === "all" ? ["plain", "slow"] : ["plain"];
const results = projects(root).map((project) => {
  const files = runSets.flatMap((set) => readJson<FileResult[]>(join(root, project, resultsName(set)), []));
  const wanted = runSets.flatMap((set) => testFiles(root, project, set));
  const run = new Set(files.map(({ file }) => file));
  return { project, files, notRun: wanted.filter((file) => !run.has(file)) };
});
const leftOut = sets === "all" ? [] : projects(root).flatMap((project) => testFiles(root, project, "slow"));
const { tasks } = readJson<{ tasks: { taskId: string; status: number }[] }>(resolve(root, record), { tasks: [] });
const failedTasks = tasks.filter((task) => task.status !== 0).map(({ taskId }) => taskId);
const { lines, failed } = report(results, failedTasks, Number(status), leftOut);
console.log(lines.join("\n"));
process.exitCode = failed > 0 ? 1 : 0;
