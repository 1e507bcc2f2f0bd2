/**
 * Runs the tests of one project with uvu and writes their counts, the names of failed tests and the time of each
 * file to PROJECT/test-results.json, or slow-test-results.json.
 *
 * usage: node --conditions=mbs-source --import tsx tools/test/run-tests.ts PROJECT [PATTERN] [--slow] [--processes NUMBER]
 *   PROJECT       its folder: packages/solvers, tools
 *   PATTERN       a regular expression; only test files whose path it matches are run
 *   --slow        the slow tests, NAME.slow.test.ts, in place of the others
 *   --processes   among how many processes the files are divided (1): for a project whose tests would otherwise end last
 */
import { fork } from "node:child_process";
import { rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { resultsName, testFiles } from "./results.ts";
import type { FileResult } from "./results.ts";

const root = resolve(import.meta.dirname, "../..");
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { slow: { type: "boolean" }, processes: { type: "string", default: "1" } },
});
const [project, pattern] = positionals;
if (project === undefined) throw new Error("usage: run-tests.ts PROJECT [PATTERN] [--slow] [--processes NUMBER]");

const set = values.slow === true ? "slow" : "plain";
const output = join(root, project, resultsName(set));
await rm(output, { force: true });

const files = testFiles(root, project, set).filter((file) => pattern === undefined || new RegExp(pattern).test(file));
if (files.length === 0)
  throw new Error(`${project} has no ${set} test file${pattern === undefined ? "" : ` that matches ${pattern}`}`);

/** Runs files in a process of their own; what it prints is shown when it ends, for two would mix their lines. */
async function runFiles(share: readonly string[]): Promise<FileResult[]> {
  const child = fork(fileURLToPath(new URL("run-files.ts", import.meta.url)), share, { cwd: root, silent: true });
  const printed: Buffer[] = [];
  child.stdout?.on("data", (data: Buffer) => void printed.push(data));
  child.stderr?.on("data", (data: Buffer) => void printed.push(data));
  let results: FileResult[] = [];
  child.on("message", (message) => (results = message as FileResult[]));
  const code = await new Promise((done) => child.on("close", done));
  process.stdout.write(Buffer.concat(printed));
  if (code !== 0) process.exitCode = 1;
  return results;
}

const wanted = Number(values.processes);
if (!Number.isInteger(wanted) || wanted < 1)
  throw new Error(`--processes takes a whole number from 1 on, not ${values.processes}`);
const processes = Math.min(wanted, files.length);
const shares = Array.from({ length: processes }, (_, share) => files.filter((_file, at) => at % processes === share));
const results = (await Promise.all(shares.map(runFiles))).flat();
await writeFile(output, `${JSON.stringify(results, null, 2)}\n`);
