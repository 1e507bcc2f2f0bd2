import { basename } from "node:path";
import type { FileResult } from "./results.ts";

/** What the tests of one project came to. */
export interface ProjectResult {
  readonly project: string;
  readonly files: readonly FileResult[];
  /** Test files that have no result. */
  readonly notRun: readonly string[];
}

/**
 * What a run came to: lines with the counts of each project, what failed, and `N passed, N failed`.
 *
 * @param failedTasks names of nx's tasks that ended with an error, among them builds and checks
 * @param status exit code of the command that ran them
 * @param leftOut slow test files that this run leaves out
 */
export function report(
  projects: readonly ProjectResult[],
  failedTasks: readonly string[],
  status: number,
  leftOut: readonly string[] = [],
): { readonly lines: readonly string[]; readonly failed: number } {
  const counts: string[] = [];
  const failures: string[] = [];
  const total = { passed: 0, failed: 0, skipped: 0 };
  for (const { project, files, notRun } of projects) {
    const sum = { passed: 0, failed: notRun.length, skipped: 0 };
    for (const { file, passed, failed, skipped, failures: tests } of files) {
      sum.passed += passed;
      sum.failed += failed;
      sum.skipped += skipped;
      for (const { test, error } of tests) failures.push(`failed: ${file}: ${test}`, `  ${error}`);
    }
    for (const file of notRun) failures.push(`not run: ${file}`);
    counts.push(`${project.padEnd(32)} ${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`);
    total.passed += sum.passed;
    total.failed += sum.failed;
    total.skipped += sum.skipped;
  }
  if (projects.some(({ notRun }) => notRun.length > 0)) {
    failures.push("test files that were not run count as failed: the run was interrupted, or a test program ended early");
  }
  if (failedTasks.length > 0) failures.push(`ended with an error (see above): ${failedTasks.join(", ")}`);
  if (status !== 0 && total.failed === 0) {
    failures.push("no test failed, but a build, a check or a test program: see above");
    total.failed = 1;
  }
  const skipped = total.skipped > 0 ? [`${total.skipped} skipped`] : [];
  const names = leftOut.map((file) => basename(file, ".slow.test.ts")).join(", ");
  const left = leftOut.length > 0 ? [`left out, run by ./scripts/test --all: ${leftOut.length} slow test files (${names})`] : [];
  const lines = [...counts, ...skipped, ...left, ...failures, `${total.passed} passed, ${total.failed} failed`];
  return { lines, failed: total.failed };
}
