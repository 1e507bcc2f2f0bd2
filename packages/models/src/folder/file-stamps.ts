import { stat } from "node:fs/promises";
import { isMissing } from "./json-file.ts";

/**
 * What tells a file from the one that was at its path before: which file is behind a link, its size and its times. No program
 * can set the time at which an inode changed, so it also shows content that was replaced by some of the same size and
 * modification time.
 *
 * @returns a line for each path, also where nothing is there
 */
export async function fileStamps(paths: readonly string[]): Promise<string> {
  const stamps = paths.map(async (path) => {
    try {
      const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
      return [path, dev, ino, size, mtimeNs, ctimeNs].join(" ");
    } catch (error) {
      if (isMissing(error)) return `${path} is missing`;
      throw error;
    }
  });
  return (await Promise.all(stamps)).join("\n");
}
