import { realpathSync, statSync } from "node:fs";
import { basename, dirname, join, relative, sep } from "node:path";
import { BadDataError } from "@mbs/contracts";
import type { GraphTensor } from "@mbs/onnx";

/** Where the values of a tensor lie in a file of their own. */
export interface ExternalPlace {
  readonly path: string;
  readonly offset: number;
  /** Absent: up to the file's end. */
  readonly length: number | undefined;
  /** SHA-1 of the whole file, 40 lower-case hex digits, where the model's file has one. */
  readonly checksum: string | undefined;
}

/** The keys of the standard; a reader that ignores others would read something else than is meant. */
const knownKeys: ReadonlySet<string> = new Set(["location", "offset", "length", "checksum"]);

/** What the system says of a name that is no file's: absent, below a file, too long, links in a ring. */
const noFile: ReadonlySet<unknown> = new Set(["ENOENT", "ENOTDIR", "ENAMETOOLONG", "ELOOP"]);

const isNoFile = (error: unknown): boolean => error instanceof Error && "code" in error && noFile.has(error.code);

/** Characters of a place in a message. */
const mostShown = 200;

const inside = (path: string, root: string): boolean => {
  const way = relative(root, path);
  return way !== "" && way !== ".." && !way.startsWith(`..${sep}`);
};

/**
 * Folders in which a model's files may really lie: its own, and for a snapshot of a Hub cache, whose files are links, the
 * blobs of the same model.
 */
function rootsOf(folder: string): readonly string[] {
  const real = realpathSync(folder);
  const snapshots = dirname(real);
  return basename(snapshots) === "snapshots" ? [real, join(dirname(snapshots), "blobs")] : [real];
}

/**
 * The place that a model's file gives for a tensor, checked before anything is opened.
 *
 * @param folder of the model
 * @param graphPath the model's file, beside which others are named
 * @throws {BadDataError} for a place outside the folder, also by links, an unknown key, numbers that are none, or a
 *   checksum that is none; whether it fits is for openGraphTensors to find out
 * @see https://github.com/onnx/onnx/blob/main/docs/ExternalDataSecurity.md
 */
export function externalPlace(folder: string, graphPath: string, tensor: GraphTensor): ExternalPlace {
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
    refuse(`its external data at ${shown}, no name of a file below the model's`);
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
    refuse(`its external data at ${shown}, which leads out of the model's folder`);
  const status = statSync(real);
  if (!status.isFile()) refuse(`its external data at ${shown}, which is no file`);
  if (status.nlink > 1)
    refuse(`its external data in ${shown}, which has ${status.nlink} hard links: it may be a file of another place`);
  const [offset = 0, length] = [number("offset"), number("length")];
  if (offset + (length ?? 0) > status.size) {
    refuse(`external data from byte ${offset}, ${length ?? "all"} of them, where ${shown} has ${status.size}`);
  }
  return { path, offset, length, checksum };
}
