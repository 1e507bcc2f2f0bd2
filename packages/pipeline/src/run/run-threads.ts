import { readFile } from "node:fs/promises";
import { parseJson, writeAtomically } from "@mbs/artifacts";
import { DeniedError, isObject, mostThreads } from "@mbs/contracts";
import { denyForeign, exists, isFile } from "./own-files.ts";
import type { RunFolder } from "./run-folder.ts";

/**
 * The number of threads that a run began with; undefined where nothing is recorded.
 *
 * @throws {DeniedError} on a file of another form, or what is no file
 */
export async function readThreads({ root, machine: path }: RunFolder): Promise<number | undefined> {
  if (!(await exists(path))) return undefined;
  if (!(await isFile(path))) denyForeign(path);
  const value = parseJson(await readFile(path, "utf8"));
  const threads = isObject(value) ? value["threads"] : undefined;
  if (typeof threads === "number" && Number.isSafeInteger(threads) && threads >= 1 && threads <= mostThreads) return threads;
  throw new DeniedError(
    `${path} is damaged, or was not written by a run; remove it to take the threads of this machine, or move ${root} away`,
    { path },
  );
}

/**
 * The threads that a run in a claimed folder has to take, and a record of them for those who resume it: with another number
 * every node would count as new.
 *
 * @param given undefined where nobody has asked for a number
 * @param available what this machine would choose
 * @throws {DeniedError} where the run began with another number than the one given
 */
export async function settleThreads(folder: RunFolder, given: number | undefined, available: number): Promise<number> {
  const { root, machine } = folder;
  const known = await readThreads(folder);
  if (known !== undefined && given !== undefined && given !== known) {
    throw new DeniedError(
      `${root} holds a run that began with --threads ${known}; with ${given} everything would be made again, since results may differ in the last bits. Give ${known} or leave --threads out to resume, choose another output, or start over with --force`,
      { path: root, known, given },
    );
  }
  const threads = given ?? known ?? available;
  if (known === undefined) await writeAtomically(machine, [Buffer.from(`${JSON.stringify({ threads })}\n`)], { force: true });
  return threads;
}
