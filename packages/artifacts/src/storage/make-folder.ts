import { mkdir, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { DeniedError } from "@mbs/contracts";
import { systemError } from "./system-error.ts";

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );

/**
 * Makes a folder, and those that it lies in, where they are not there yet. mkdir of Node.js does that too (`recursive`), but
 * never ends where a file system has no place for new folders, such as /proc.
 *
 * @param doing for messages: "make --store"
 * @throws {DeniedError} where a file is there, or none may be made
 * @throws {InputOutputError} where the system makes none for another reason
 */
export async function makeFolder(path: string, doing = "make"): Promise<void> {
  const whole = resolve(path);
  if (await isFolder(whole)) return;
  const above = dirname(whole);
  if (above !== whole) await makeFolder(above, doing);
  try {
    await mkdir(whole);
  } catch (cause) {
    // another process may have made it meanwhile
    if (await isFolder(whole)) return;
    if ((cause as NodeJS.ErrnoException).code !== "EEXIST") throw systemError(cause, doing, whole);
    throw new DeniedError(`cannot ${doing} ${whole}: a file is there; choose another path`, { path: whole }, { cause });
  }
}
