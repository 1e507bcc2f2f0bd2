import { readFile } from "node:fs/promises";
import { findChanged, parseJson, writeAtomically } from "@mbs/artifacts";
import type { FileHashes, Unpacked } from "@mbs/artifacts";
import { BadDataError, isObject } from "@mbs/contracts";
import { cardFile } from "@mbs/models";
import { exists } from "./own-files.ts";
import type { RunFolder } from "./run-folder.ts";

/** Records the hashes of the model's files, but for the card, which is written again when there are scores. */
export async function recordModelFiles({ modelFiles }: RunFolder, { address, files }: Unpacked): Promise<void> {
  const record = { address, files: Object.fromEntries([...files].filter(([path]) => path !== cardFile)) };
  await writeAtomically(modelFiles, [Buffer.from(`${JSON.stringify(record, undefined, 2)}\n`)], { force: true });
}

/** The files of the model of an address; undefined where they are not written down, or what is written is damaged. */
async function readModelFiles({ modelFiles }: RunFolder, address: string): Promise<FileHashes | undefined> {
  if (!(await exists(modelFiles))) return undefined;
  const record = parseJson(await readFile(modelFiles, "utf8"));
  if (!isObject(record) || record["address"] !== address || !isObject(record["files"])) return undefined;
  return new Map(Object.entries(record["files"]).map(([path, hash]) => [path, String(hash)]));
}

/**
 * Whether the model of a run, known by its address, need not be written again: it is there and has been checked, byte for
 * byte.
 *
 * @param address of the artifact that it was written from
 * @throws {BadDataError} where a file is not what the run has written
 */
export async function isWholeModel(folder: RunFolder, address: string, signal: AbortSignal): Promise<boolean> {
  const { model } = folder;
  const files = (await exists(model)) ? await readModelFiles(folder, address) : undefined;
  if (files === undefined) return false;
  const changed = await findChanged(model, files, signal);
  if (changed === undefined) return true;
  throw new BadDataError(
    `${changed} is not as the run wrote it: damaged, changed or removed; move ${model} away and run again to have it written again from the finished layers`,
    { path: changed },
  );
}
