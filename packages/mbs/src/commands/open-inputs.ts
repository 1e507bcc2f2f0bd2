import { basename, dirname, resolve } from "node:path";
import { UsageError } from "@mbs/contracts";
import { openInput, standardInputName, standardStream } from "@mbs/host-cli";
import type { ReportInput } from "@mbs/reporting";

const fileName = (file: string): string => basename(file, ".arrow");

/**
 * Opens the artifacts that a command was given by name.
 *
 * @param files paths; `-` once for standard input
 * @throws {UsageError} where standard input is named twice
 */
export async function openInputs(files: readonly string[], signal: AbortSignal): Promise<readonly ReportInput[]> {
  if (files.filter((file) => file === standardStream).length > 1) throw new UsageError("standard input can be read once only");
  const inputs: ReportInput[] = [];
  for (const file of files) {
    const isAlone = files.filter((other) => fileName(other) === fileName(file)).length === 1;
    // results of several runs have the same file names, and are told apart by the runs' folders
    const ofFile = isAlone ? fileName(file) : `${basename(dirname(resolve(file)))}/${fileName(file)}`;
    const name = file === standardStream ? standardInputName : ofFile;
    inputs.push({ name, stream: await openInput(file, { what: "an artifact" }, signal) });
  }
  return inputs;
}
