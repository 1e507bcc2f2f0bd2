import { findChanged, writeAtomically } from "@mbs/artifacts";
import type { FileHashes, Unpacked } from "@mbs/artifacts";
import { BadDataError, isObject } from "@mbs/contracts";
import { cardFile } from "@mbs/models";
import { exists, readRecord } from "./file-state.ts";
import type { RunFolder } from "./run-folder.ts";

/** Hashes of files from a record; undefined where they are something else. */
export const parseHashes = (value: unknown): FileHashes | undefined =>
  isObject(value) ? new Map(Object.entries(value).map(([path, hash]) => [path, String(hash)])) : undefined;

/** Records the hashes of the model's files, but for the card, which is written again when there are scores. */
export async function recordModelFiles({ modelFiles }: RunFolder, { address, files }: Unpacked): Promise<void> {
  const record = { address, files: Object.fromEntries([...files].filter(([path]) => path !== cardFile)) };
  await writeAtomically(modelFiles, [Buffer.from(`${JSON.stringify(record, undefined, 2)}\n`)], { force: true });
}

/**
 * The paths of a run's model that are not as the run wrote them, by reading them whole.
 *
 * @param address of the artifact that it was written from; absent: any
 * @returns undefined where the model is not there, or it is not written down what it was
 */
export async function changedModelFiles(
  { model, modelFiles }: RunFolder,
  { address, signal }: { readonly address?: string; readonly signal?: AbortSignal | undefined } = {},
): Promise<readonly string[] | undefined> {
  const record = (await exists(model)) ? await readRecord(modelFiles) : undefined;
  if (!isObject(record) || (address !== undefined && record["address"] !== address)) return undefined;
  const files = parseHashes(record["files"]);
  return files && findChanged(model, files, signal);
}

const listed = (paths: readonly string[]): string =>
  [paths.slice(0, -1).join(", "), ...paths.slice(-1)].filter((part) => part !== "").join(" and ");

/**
 * Refuses what a run has written and is not as it was: it may be somebody's work, so that nothing is written over it.
 *
 * @param paths all of them, at least one
 * @param away what is to be moved away
 */
export function refuseChanged(paths: readonly string[], away: readonly string[]): never {
  const [is, it] = paths.length === 1 ? ["is", "it"] : ["are", "them"];
  throw new BadDataError(
    `${listed(paths)} ${is} not as the run wrote ${it}: damaged, changed or removed; move ${listed(away)} away and run again to have ${it} written again`,
    { path: paths[0] ?? "" },
  );
}

/**
 * Whether the model of a run, known by its address, need not be written again: it is there and has been checked, byte for
 * byte.
 *
 * @param address of the artifact that it was written from
 * @throws {BadDataError} with all files that are not what the run has written
 */
export async function isWholeModel(folder: RunFolder, address: string, signal: AbortSignal): Promise<boolean> {
  const changed = await changedModelFiles(folder, { address, signal });
  if (changed !== undefined && changed.length > 0) refuseChanged(changed, [folder.model]);
  return changed !== undefined;
}
