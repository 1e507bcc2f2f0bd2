import { stat } from "node:fs/promises";
import { basename, dirname, join, resolve, sep } from "node:path";
import { UsageError } from "@mbs/contracts";
import { openInput, standardInputName, standardStream } from "@mbs/host-cli";
import type { ReportInput } from "@mbs/reporting";
import { runOf } from "../shrink/shrink-recipe.ts";

/** What was named, and the artifact that it stands for. */
interface Named {
  readonly given: string;
  readonly file: string;
}

/** The artifact of a name: of a run's folder, or of what `mbs shrink` wrote, its scores. */
async function artifactOf(given: string): Promise<Named> {
  const found = given === standardStream ? undefined : await stat(given).catch(() => undefined);
  if (found?.isDirectory() !== true) return { given, file: given };
  const file = join(await runOf(given), "scores.arrow");
  if ((await stat(file).catch(() => undefined)) !== undefined) return { given, file };
  throw new UsageError(`${given} is a folder without scores; name the artifacts in it`);
}

/** The last parts of a path, without the ending. */
const lastParts = (path: string, count: number): string =>
  [...dirname(resolve(path)).split(sep), basename(path, ".arrow")].slice(-count).join("/");

/** For each path its last part, or as many as tell it from the others: results of several runs have the same file names. */
export function shortNames(paths: readonly string[]): readonly string[] {
  return paths.map((path) => {
    const isAlone = (count: number): boolean =>
      paths.filter((other) => lastParts(other, count) === lastParts(path, count)).length === 1;
    const most = resolve(path).split(sep).length;
    const counts = Array.from({ length: most }, (_, index) => index + 1);
    return lastParts(path, counts.find(isAlone) ?? 1);
  });
}

/**
 * Opens the artifacts that a command was given by name.
 *
 * @param files paths, of folders with scores too; `-` once for standard input
 * @throws {UsageError} where standard input is named twice, or a folder has no scores
 */
export async function openInputs(files: readonly string[], signal: AbortSignal): Promise<readonly ReportInput[]> {
  if (files.filter((file) => file === standardStream).length > 1) throw new UsageError("standard input can be read once only");
  const inputs: ReportInput[] = [];
  const names = shortNames(files);
  for (const [index, { given, file }] of (await Promise.all(files.map(artifactOf))).entries()) {
    const name = given === standardStream ? standardInputName : (names[index] ?? given);
    inputs.push({ name, stream: await openInput(file, { what: "an artifact" }, signal) });
  }
  return inputs;
}
