import { readFile } from "node:fs/promises";
import { parseJson, writeAtomically } from "@mbs/artifacts";
import { DeniedError, isObject } from "@mbs/contracts";
import { isCommit } from "@mbs/hub";
import type { Revisions } from "@mbs/hub";
import type { RunFolder } from "./run-folder.ts";

/**
 * The commits that a run began with; none where nothing is recorded.
 *
 * @throws {DeniedError} on a file of another form
 */
export async function readRevisions({ root, revisions: path }: RunFolder): Promise<Revisions> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch {
    // what is there instead is refused when the folder is claimed
    return {};
  }
  const value = parseJson(text);
  if (isObject(value) && Object.values(value).every((commit) => typeof commit === "string" && isCommit(commit)))
    return value as Revisions;
  throw new DeniedError(
    `${path} is damaged, or was not written by a run; remove it to take revisions as they are now, or move ${root} away`,
    { path },
  );
}

/** Notes the commits that a run goes on with when it is resumed. */
export async function recordRevisions({ revisions: path }: RunFolder, revisions: Revisions): Promise<void> {
  if (Object.keys(revisions).length === 0) return;
  await writeAtomically(path, [Buffer.from(`${JSON.stringify(revisions, undefined, 2)}\n`)], { force: true });
}
