/**
 * Records what the program makes, and compares it later.
 *
 * usage: node --conditions=mbs-source --import tsx tools/same-bytes/run.ts record FOLDER [--only PATTERN]
 *        node --conditions=mbs-source --import tsx tools/same-bytes/run.ts compare FOLDER [--only PATTERN] [--intended FILE]
 *   FOLDER       holds a JSON file for each case
 *   --only       a regular expression; only cases whose name it matches are run
 *   --intended   list of changes that are meant (tools/same-bytes/intended.json)
 */
import { fork } from "node:child_process";
import { openSync } from "node:fs";
import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { cases } from "./cases.ts";
import { Comparison } from "./compare-records.ts";
import type { Intended, Recorded } from "./compare-records.ts";
import { differenceText } from "./difference-text.ts";
import type { CaseResult } from "./worker.ts";

const root = join(import.meta.dirname, "../..");
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { only: { type: "string" }, intended: { type: "string", default: join(import.meta.dirname, "intended.json") } },
});
const [verb, folder, ...more] = positionals;
if ((verb !== "record" && verb !== "compare") || folder === undefined || more.length > 0) {
  throw new Error("usage: run.ts record|compare FOLDER [--only PATTERN] [--intended FILE]");
}

const { only } = values;
const names = cases.flatMap(({ name }) => (only === undefined || new RegExp(only).test(name) ? name : []));
if (names.length === 0) throw new Error(`no case matches ${only}`);

/** Runs cases in one process. @param each is called for each case as soon as it has run */
async function runCases(each: (result: CaseResult) => Promise<void>): Promise<void> {
  const work = await realpath(await mkdtemp(join(tmpdir(), "mbs-same-bytes-")));
  try {
    const log = join(work, "printed.txt");
    const worker = fork(join(import.meta.dirname, "worker.ts"), [work, log, ...names], {
      cwd: root,
      stdio: ["ignore", openSync(log, "a"), "inherit", "ipc"],
    });
    let done = Promise.resolve();
    worker.on("message", (message: object) => {
      // commands send their warnings to a parent, too
      if ("seconds" in message) done = done.then(() => each(message as CaseResult));
    });
    const code = await new Promise<number | null>((resolve) => worker.on("close", resolve));
    await done;
    if (code !== 0) throw new Error(`the process that runs the cases ended with ${code}`);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

const fileOf = (name: string): string => join(folder, `${name}.json`);
let failed = 0;

async function record({ name, made, error, seconds }: CaseResult): Promise<void> {
  if (error !== undefined) failed += 1;
  else await writeFile(fileOf(name), `${JSON.stringify(made, null, 1)}\n`);
  console.log(`${name}: ${error ?? `recorded in ${seconds.toFixed(1)} s`}`);
}

if (verb === "record") {
  await mkdir(folder, { recursive: true });
  await runCases(record);
  console.log(`${names.length - failed} cases recorded, ${failed} failed`);
} else {
  const comparison = new Comparison(JSON.parse(await readFile(values.intended, "utf8")) as Intended);
  await runCases(async ({ name, made, error, seconds }) => {
    const before = await readFile(fileOf(name), "utf8").catch(() => undefined);
    const problem = error ?? (before === undefined || made === undefined ? "is not in the record" : undefined);
    const differences =
      problem === undefined ? comparison.compare(name, JSON.parse(before ?? "") as Recorded, made as Recorded) : [];
    if (problem !== undefined || differences.length > 0) failed += 1;
    if (problem !== undefined) console.log(`${name}: ${problem}`);
    else if (differences.length > 0) console.log(`${name}:\n${differenceText(differences)}`);
    else console.log(`${name}: equal (${seconds.toFixed(1)} s)`);
  });
  const unused = only === undefined ? comparison.unused() : [];
  for (const entry of unused) console.log(`not needed any more: ${JSON.stringify(entry)}`);
  console.log(`${names.length - failed} cases equal, ${failed} differ`);
}
process.exitCode = failed > 0 ? 1 : 0;
