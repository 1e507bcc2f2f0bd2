import { createReadStream } from "node:fs";
import { BadDataError, InputOutputError, UsageError } from "@mbs/contracts";

/** Bytes. Recipes are written by hand: one that names a thousand languages is far smaller. */
const recipeLimit = 4 << 20;

const unreadable: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  ENOTDIR: "there is no such file",
  EISDIR: "is a folder",
  EACCES: "you may not read it",
};

/**
 * The text of a recipe. Reading stops at a limit, since a device or a pipe may never end.
 *
 * @throws {UsageError} when the path is ""
 * @throws {InputOutputError} when it cannot be read
 * @throws {BadDataError} when it is too long, or no UTF-8
 */
export async function readRecipeText(path: string): Promise<string> {
  if (path === "") throw new UsageError('a recipe is named by a path, not ""');
  const parts: Buffer[] = [];
  let length = 0;
  try {
    for await (const part of createReadStream(path)) {
      parts.push(part as Buffer);
      length += (part as Buffer).length;
      if (length > recipeLimit) break;
    }
  } catch (cause) {
    const { code = "" } = cause as NodeJS.ErrnoException;
    const problem = unreadable[code] ?? `cannot be read (${code})`;
    throw new InputOutputError(`${path}: ${problem}; name a recipe, a YAML file`, { path }, { cause });
  }
  if (length > recipeLimit) {
    throw new BadDataError(`${path}: is longer than ${recipeLimit} bytes, the limit of a recipe; name a recipe`, { path });
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(parts));
  } catch (cause) {
    throw new BadDataError(`${path}: is no UTF-8; name a recipe, or save it as UTF-8`, { path }, { cause });
  }
}
