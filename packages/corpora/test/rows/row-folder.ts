import { BadDataError, MbsError } from "@mbs/contracts";
import { readDatasetRows } from "@mbs/corpora";
import type { Row } from "@mbs/corpora";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import * as assert from "uvu/assert";

export type Files = Readonly<Record<string, string | Uint8Array>>;

/** Runs a test with a folder that holds the given files, in folders of their own. */
export async function withFiles(files: Files, test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "mbs-rows-"));
  try {
    for (const [name, content] of Object.entries(files)) {
      await mkdir(dirname(join(folder, name)), { recursive: true });
      await writeFile(join(folder, name), content);
    }
    await test(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The rows of files that a task names. */
export async function rowsOf(files: Files, warn?: (message: string) => void): Promise<readonly Row[]> {
  let rows: readonly Row[] = [];
  await withFiles(files, async (folder) => {
    const names = Object.keys(files);
    const path = names.some((name) => name.endsWith(".parquet")) ? "parquet" : "json";
    const options = warn === undefined ? {} : { warn };
    rows = await readDatasetRows({ path, split: "test", files: names.map((name) => join(folder, name)) }, options);
  });
  return rows;
}

/** The message of the error that some work ends in, which is one line, with "" for the folder of the test. */
export async function failure(
  work: () => Promise<unknown>,
  kind: new (message: string) => MbsError = BadDataError,
): Promise<string> {
  try {
    await work();
  } catch (error) {
    assert.instance(error, kind, (error as Error).stack);
    const { message } = error as Error;
    assert.not(message.includes("\n"));
    return message.replaceAll(/\S*mbs-rows-\w+\//g, "");
  }
  return assert.unreachable() as never;
}
