import { createReadStream } from "node:fs";
import { BadDataError, InputOutputError, UsageError } from "@mbs/contracts";

/** Bytes. Recipes are written by hand: one that names a thousand languages is far smaller. */
const recipeLimit = 4 << 20;

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
    throw new InputOutputError(
      `${path}: cannot be read (${(cause as NodeJS.ErrnoException).code}); name a recipe`,
      { path },
      { cause },
    );
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
