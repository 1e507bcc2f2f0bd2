/**
 * Adds up what the tests of all projects came to, and fails where a test failed or a test file was not run.
 *
 * usage: node --import tsx tools/test/report-results.ts STATUS
 *   STATUS   exit code of the command that ran them
 */
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { projects, resultsName, testFiles } from "./results.ts";
import type { FileResult } from "./results.ts";

const root = resolve(import.meta.dirname, "../..");
const status = Number(process.argv[2]);

const total = { passed: 0, failed: 0, skipped: 0 };
let notRun = 0;
for (const project of projects(root)) {
  const path = join(root, project, resultsName);
  const results = existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as FileResult[]) : [];
  const sum = { passed: 0, failed: 0, skipped: 0 };
  for (const { passed, failed, skipped } of results) {
    sum.passed += passed;
    sum.failed += failed;
    sum.skipped += skipped;
  }
  const run = new Set(results.map(({ file }) => file));
  const missed = testFiles(root, project).filter((file) => !run.has(file));
  sum.failed += missed.length;
  notRun += missed.length;
  console.log(`${project.padEnd(32)} ${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`);
  for (const file of missed) console.log(`  not run: ${file}`);
  total.passed += sum.passed;
  total.failed += sum.failed;
  total.skipped += sum.skipped;
}
if (status !== 0 && total.failed === 0) {
  console.log("a build or check failed: see above");
  total.failed = 1;
}
if (notRun > 0) {
  console.log(`${notRun} test files were not run and count as failed: the run was interrupted, or a test program ended early`);
}
if (total.skipped > 0) console.log(`${total.skipped} skipped`);
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed > 0 ? 1 : 0;
