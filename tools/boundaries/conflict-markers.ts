import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

/** The first and the last line of what git leaves where it could not merge; the one between is also a heading of Markdown. */
const markers = ["^<<<<<<< ", "^>>>>>>> "];

/** Lines of conflicts in tracked text files, one line each; none in a source that is no repository, such as an archive. */
export function findConflictMarkers(root: string): string[] {
  if (!existsSync(join(root, ".git"))) return [];
  const patterns = markers.flatMap((marker) => ["-e", marker]);
  const { status, stdout, stderr, error } = spawnSync("git", ["grep", "-nI", ...patterns], { cwd: root, encoding: "utf8" });
  if (status === 1) return [];
  if (status !== 0) throw new Error(`git grep failed: ${error?.message ?? stderr}`);
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) => `${line.split(":", 2).join(":")}: a line of a conflict that was not merged; edit the file`);
}
