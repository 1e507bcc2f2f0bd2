import { join } from "node:path";
import { BadDataError } from "@mbs/contracts";
import { shardNumber } from "../checkpoint/weight-files.ts";
import { openGgufFile } from "./gguf-file.ts";
import type { GgufFile } from "./gguf-file.ts";

const shardName = /^(.*)-(\d{5})-of-(\d{5})(\.gguf)$/i;
const mostShards = 10_000;

/** Paths of all files of a model, of which one is named. */
function shardPaths(path: string, count: number): readonly string[] {
  const [, stem, , total, extension] = shardName.exec(path) ?? [];
  if (stem === undefined || Number(total) !== count) {
    throw new BadDataError(
      `${path} is one of ${count} files of a model, and its name must end in -${shardNumber(0, count)}.gguf; give it its name again`,
      { file: path, count },
    );
  }
  return Array.from({ length: count }, (_, index) => `${stem}-${shardNumber(index, count)}${extension}`);
}

/** `split.count` of a file: how many files its model has. */
function countShards({ path, metadata }: GgufFile): number {
  const count = metadata.get("split.count") ?? 1;
  if (typeof count === "number" && Number.isInteger(count) && count >= 1 && count <= mostShards) return count;
  throw new BadDataError(`${path}: split.count is ${String(count).slice(0, 40)}, not 1 to ${mostShards}; split the model again`, {
    file: path,
  });
}

/** What contradicts each other in the files of a model. */
function shardProblems(files: readonly GgufFile[]): readonly string[] {
  const [first] = files;
  const seen = new Map<string, string>();
  const problems: string[] = [];
  for (const [index, file] of files.entries()) {
    const { path, metadata, tensors } = file;
    if (metadata.get("split.count") !== files.length)
      problems.push(`${path} says that it is one of ${String(metadata.get("split.count") ?? 1)}`);
    if (metadata.get("split.no") !== index)
      problems.push(`${path} has split.no ${String(metadata.get("split.no"))}, not ${index}`);
    for (const { name } of tensors) {
      const other = seen.get(name);
      if (other !== undefined) problems.push(`tensor ${name} is in ${other} and in ${path}`);
      seen.set(name, path);
    }
  }
  const total = first?.metadata.get("split.tensors.count");
  if (total !== undefined && total !== seen.size)
    problems.push(`they have ${seen.size} tensors, not the announced ${String(total)}`);
  return problems;
}

/**
 * Opens a GGUF file, with all others of its model, in their order.
 *
 * @throws {BadDataError} when one is missing or broken, or they contradict each other
 */
export async function openShards(path: string): Promise<readonly [GgufFile, ...GgufFile[]]> {
  const named = await openGgufFile(path);
  const opened = [named];
  try {
    const count = countShards(named);
    if (count === 1) return [named];
    const files: GgufFile[] = [];
    for (const shard of shardPaths(path, count)) {
      if (join(shard) === join(path)) files.push(named);
      else {
        const file = await openGgufFile(shard);
        opened.push(file);
        files.push(file);
      }
    }
    const problems = shardProblems(files);
    if (problems.length > 0) {
      const shown = problems.slice(0, 3).join("; ");
      const more = problems.length > 3 ? `; and ${problems.length - 3} more` : "";
      throw new BadDataError(`${path} does not fit its other files: ${shown}${more}; download the model again`, {
        file: path,
        problems: problems.length,
      });
    }
    const [first = named, ...others] = files;
    return [first, ...others];
  } catch (error) {
    for (const file of opened) file.close();
    throw error;
  }
}
