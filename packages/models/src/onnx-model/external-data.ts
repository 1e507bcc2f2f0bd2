import { realpathSync, statSync } from "node:fs";
import { basename, dirname, join, relative, sep } from "node:path";
import { BadDataError } from "@mbs/contracts";
import type { GraphTensor } from "@mbs/onnx";

/** Where the values of a tensor are, outside of the model's file. */
export interface ExternalData {
  readonly path: string;
  readonly offset: number;
  /** Absent: up to the file's end. */
  readonly length: number | undefined;
  /** SHA-1 of the whole file, 40 lower-case hex digits, where the model's file has one. */
  readonly checksum: string | undefined;
}

/** The keys of the standard; others could change where the values are. */
const knownKeys: ReadonlySet<string> = new Set(["location", "offset", "length", "checksum"]);

/** Errors of a path that leads to no file: absent, below a file, too long, links in a ring. */
const noFile: ReadonlySet<unknown> = new Set(["ENOENT", "ENOTDIR", "ENAMETOOLONG", "ELOOP"]);

const isNoFile = (error: unknown): boolean => error instanceof Error && "code" in error && noFile.has(error.code);

/** Characters of a location in a message. */
const mostShown = 200;

const inside = (path: string, root: string): boolean => {
  const way = relative(root, path);
  return way !== "" && way !== ".." && !way.startsWith(`..${sep}`);
};

/**
 * Folders in which a model's files may be once links are resolved: its own, and for a snapshot of a Hub cache, whose files
 * are links, the blobs of the same model.
 */
function rootsOf(folder: string): readonly string[] {
  const real = realpathSync(folder);
  const snapshots = dirname(real);
  return basename(snapshots) === "snapshots" ? [real, join(dirname(snapshots), "blobs")] : [real];
}

/**
 * The location that a model's file gives for the values of a tensor, checked before anything is opened.
 *
 * @param folder of the model
 * @param graphPath the model's file; locations are relative to its folder
 * @throws {BadDataError} for a location outside the folder, also by links, an unknown key, a malformed number or
 *   checksum; openGraphTensors compares sizes and checksums
 * @see https://github.com/onnx/onnx/blob/main/docs/ExternalDataSecurity.md
 */
export function locateExternalData(folder: string, graphPath: string, tensor: GraphTensor): ExternalData {
  const { name, external = new Map<string, string>() } = tensor;
  const refuse = (problem: string, cause?: unknown): never => {
    throw new BadDataError(
      `${graphPath}: tensor ${name} has ${problem}; take the model from where it was made, or export it again`,
      { file: graphPath, tensor: name },
      { cause },
    );
  };
  const unknown = [...external.keys()].find((key) => !knownKeys.has(key));
  if (unknown !== undefined) refuse(`external data with the unknown key ${JSON.stringify(unknown)}`);
  const location = external.get("location") ?? refuse("external data without a location");
  const shown = JSON.stringify(location.slice(0, mostShown));
  const parts = location.split(/[/\\]/);
  if (parts.at(-1) === "" || location.includes("\0") || parts.includes(".."))
    refuse(`its external data at ${shown}, which is no path to a file below the model's folder`);
  if (/^[/\\]|^[A-Za-z]:/.test(location)) refuse(`its external data at the absolute path ${shown}`);
  const number = (key: string): number | undefined => {
    const text = external.get(key);
    if (text === undefined) return undefined;
    const value = /^\d{1,16}$/.test(text) ? Number(text) : NaN;
    return Number.isSafeInteger(value)
      ? value
      : refuse(`external data with ${key} ${JSON.stringify(text.slice(0, 40))}, no number of bytes`);
  };
  const checksum = external.get("checksum")?.toLowerCase();
  if (checksum !== undefined && !/^[0-9a-f]{40}$/.test(checksum))
    refuse(`external data with the checksum ${JSON.stringify(checksum.slice(0, mostShown))}, no SHA-1 of 40 hex digits`);
  const path = join(dirname(graphPath), location);
  let real = "";
  try {
    real = realpathSync(path);
  } catch (cause) {
    if (!isNoFile(cause)) throw cause;
    refuse(`its external data in ${shown}, which is missing`, cause);
  }
  if (!rootsOf(folder).some((root) => inside(real, root)))
    refuse(`its external data at ${shown}, which is outside the model's folder`);
  const status = statSync(real);
  if (!status.isFile()) refuse(`its external data at ${shown}, which is no file`);
  if (status.nlink > 1)
    refuse(`its external data in ${shown}, which has ${status.nlink} hard links: it may be a file from outside the folder`);
  const [offset = 0, length] = [number("offset"), number("length")];
  if (offset + (length ?? 0) > status.size) {
    refuse(`external data from byte ${offset}, ${length ?? "all"} of them, where ${shown} has ${status.size}`);
  }
  return { path, offset, length, checksum };
}
