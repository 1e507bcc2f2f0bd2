import { readFile, stat } from "node:fs/promises";
import { parseJson } from "@mbs/artifacts";

/** Whether there is anything at a path. */
export const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT" || error.code === "ENOTDIR") return false;
      throw error;
    },
  );

/** Opening a FIFO would wait without end. */
export const isFile = (path: string): Promise<boolean> => stat(path).then((found) => found.isFile());

/** The value of a small file of JSON; undefined where it is missing, damaged or no file. */
export const readRecord = async (path: string): Promise<unknown> =>
  (await exists(path)) && (await isFile(path)) ? parseJson(await readFile(path, "utf8")) : undefined;
