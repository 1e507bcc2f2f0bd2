import { writeAtomically } from "@mbs/artifacts";
import { BadDataError, isObject } from "@mbs/contracts";
import { isCommit } from "@mbs/hub";
import type { Revisions } from "@mbs/hub";
import { exists, readRecord } from "./file-state.ts";
import type { RunFolder } from "./run-folder.ts";

/**
 * The commits that a run began with; none where nothing is recorded.
 *
 * @throws {BadDataError} where they are damaged
 */
export async function readRevisions({ revisions: path }: RunFolder): Promise<Revisions> {
  if (!(await exists(path))) return {};
  const value = await readRecord(path);
  if (isObject(value) && Object.values(value).every((commit) => typeof commit === "string" && isCommit(commit)))
    return value as Revisions;
  throw new BadDataError(
    `${path} is damaged, or was not written by a run; move it away to take revisions as they are now, or start over with --force`,
    { path },
  );
}

/** Notes the commits that a run goes on with when it is resumed. */
export async function recordRevisions({ revisions: path }: RunFolder, revisions: Revisions): Promise<void> {
  if (Object.keys(revisions).length === 0) return;
  await writeAtomically(path, [Buffer.from(`${JSON.stringify(revisions, undefined, 2)}\n`)], { force: true });
}
