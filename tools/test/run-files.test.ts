import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { FileResult } from "./results.ts";

const test = suite<{ folder: string }>("run-files");
test.before(async (context) => void (context.folder = await mkdtemp(join(tmpdir(), "mbs-run-files-"))));
test.after(({ folder }) => rm(folder, { recursive: true }));

/** A test file outside the repository: its imports are by path. */
const source = (name: string, tests: string): string => `
import { suite } from ${JSON.stringify(import.meta.resolve("uvu"))};
import * as assert from ${JSON.stringify(import.meta.resolve("uvu/assert"))};
const test = suite(${JSON.stringify(name)});
${tests}
test.run();
`;

/** Runs test files of these texts. @returns their results, without folder and time, and the exit code */
async function runTests(folder: string, texts: Record<string, string>): Promise<[object[], number]> {
  const paths = Object.keys(texts).map((name) => join(folder, `${name}.test.mjs`));
  for (const [index, text] of Object.values(texts).entries()) await writeFile(paths[index] ?? "", text);
  // with colours, as nx asks for them
  const env = { ...process.env, FORCE_COLOR: "1" };
  const child = fork(fileURLToPath(new URL("run-files.ts", import.meta.url)), paths, { silent: true, env });
  let results: readonly FileResult[] = [];
  child.on("message", (message) => (results = message as FileResult[]));
  const [code] = (await once(child, "close")) as [number];
  return [
    results.map(({ seconds, processorSeconds, file, ...rest }) => ({
      file: basename(file, ".test.mjs"),
      ...rest,
      timed: seconds >= 0 && processorSeconds >= 0,
    })),
    code,
  ];
}

test("failed tests are named, with the first line of their errors", async ({ folder }) => {
  const named = source(
    "streams",
    `test("holds", () => {});
     test('a "cut"  stream', () => assert.is(1, 2, "one line\\nand another"));
     test.skip("later", () => {});`,
  );
  const nameless = source("", `test("ends", () => assert.equal([1], [2]));`);
  const [results, code] = await runTests(folder, { named, nameless });
  assert.is(code, 1);
  const deepEqual = "Expected values to be deeply equal:  (equal)";
  assert.equal(results, [
    {
      file: "named",
      passed: 1,
      failed: 1,
      skipped: 1,
      failures: [{ test: 'streams: a "cut"  stream', error: "one line" }],
      timed: true,
    },
    { file: "nameless", passed: 0, failed: 1, skipped: 0, failures: [{ test: "ends", error: deepEqual }], timed: true },
  ]);
});

test("tests behind a hook that failed have failed", async ({ folder }) => {
  const sound = source("sound", `test("holds", () => {});`);
  const hook = source("", `test.before(() => { throw new Error("no server"); }); test("a", () => {}); test("b", () => {});`);
  const [results, code] = await runTests(folder, { sound, hook });
  assert.is(code, 1);
  assert.equal(results, [
    { file: "sound", passed: 1, failed: 0, skipped: 0, failures: [], timed: true },
    {
      file: "hook",
      passed: 0,
      failed: 2,
      skipped: 0,
      failures: [{ test: "2 tests", error: "were not run, since a hook failed" }],
      timed: true,
    },
  ]);
});

test.run();
