import { readdirSync } from "node:fs";
import { join } from "node:path";

/** A test that failed. */
export interface Failure {
  /** Its name, behind that of its suite where the suite has one. */
  readonly test: string;
  /** The first line of its error's message. */
  readonly error: string;
}

/** What the tests of one file came to. */
export interface FileResult {
  /** Relative to the repository, with forward slashes. */
  readonly file: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly failures: readonly Failure[];
  /** How long they took. */
  readonly seconds: number;
  /** Processor seconds that they took, with those of the programs that they started (Linux; elsewhere without those). */
  readonly processorSeconds: number;
}

/** Slow tests wait for stalled servers, killed processes and the like; the plain test command leaves them out. */
export type TestSet = "plain" | "slow";

/** The file in a project's folder that holds the results of the last run of a set: an array of FileResult. */
export const resultsName = (set: TestSet): string => (set === "slow" ? "slow-test-results.json" : "test-results.json");

/** Folders below "packages" and "tools" whose tests nx runs as those of one project. */
export function projects(root: string): string[] {
  const packages = readdirSync(join(root, "packages"), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return [...packages.map(({ name }) => `packages/${name}`).toSorted(), "tools"];
}

/** The test files of a set of a project, relative to the repository, in order: slow ones are called NAME.slow.test.ts. */
export const testFiles = (root: string, project: string, set: TestSet): string[] =>
  readdirSync(join(root, project), { recursive: true, encoding: "utf8" })
    .map((path) => `${project}/${path.replaceAll("\\", "/")}`)
    .filter((path) => path.endsWith(".test.ts") && !/\/(node_modules|dist)\//.test(path))
    .filter((path) => path.endsWith(".slow.test.ts") === (set === "slow"))
    .toSorted();
