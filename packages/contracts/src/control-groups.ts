import { readFileSync } from "node:fs";
import { posix } from "node:path";

/** Reads a small file; undefined where there is none. */
export type ReadText = (path: string) => string | undefined;

export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/** A folder of one of this process's control groups. Version 2 has all controllers in one hierarchy. */
export interface GroupFolder {
  readonly version: 1 | 2;
  readonly path: string;
}

/** A folder and those above it: a limit on any of them holds. */
function* upwards(folder: string): Generator<string, void, undefined> {
  for (let path = posix.normalize(folder); ; path = posix.dirname(path)) {
    yield path === "/" ? "" : path;
    if (path === "/" || path === ".") return;
  }
}

/**
 * The folders with the limits of a controller for this process, on Linux; none elsewhere.
 *
 * In a container the group's own folder is often not visible, and its limit lies in the root.
 *
 * @param controller cpu, memory
 * @see https://docs.kernel.org/admin-guide/cgroup-v2.html
 */
export function* groupFolders(controller: string, read: ReadText): Generator<GroupFolder, void, undefined> {
  for (const line of (read("/proc/self/cgroup") ?? "").split("\n")) {
    const [, controllers, group] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (controllers === undefined || group === undefined) continue;
    for (const folder of upwards(group)) {
      if (controllers === "") yield { version: 2, path: `/sys/fs/cgroup${folder}` };
      else if (controllers.split(",").includes(controller)) yield { version: 1, path: `/sys/fs/cgroup/${controllers}${folder}` };
    }
  }
}
