/**
 * Adds up what the tests of all projects came to, and fails where a test failed or a test file was not run.
 *
 * usage: node --import tsx tools/test/report-results.ts STATUS RECORD
 *   STATUS   exit code of the nx command that ran them
 *   RECORD   the file in which nx notes how each of its tasks ended
 */
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { report } from "./report.ts";
import { projects, resultsName, testFiles } from "./results.ts";
import type { FileResult } from "./results.ts";

const root = resolve(import.meta.dirname, "../..");
const [status, record = ""] = process.argv.slice(2);

/** A JSON file, or what stands for one that was not written. */
const readJson = <T>(path: string, missing: T): T => (existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as T) : missing);

const results = projects(root).map((project) => {
  const files = readJson<FileResult[]>(join(root, project, resultsName), []);
  const run = new Set(files.map(({ file }) => file));
  return { project, files, notRun: testFiles(root, project).filter((file) => !run.has(file)) };
});
const { tasks } = readJson<{ tasks: { taskId: string; status: number }[] }>(resolve(root, record), { tasks: [] });
const failedTasks = tasks.filter((task) => task.status !== 0).map(({ taskId }) => taskId);
const { lines, failed } = report(results, failedTasks, Number(status));
console.log(lines.join("\n"));
process.exitCode = failed > 0 ? 1 : 0;
