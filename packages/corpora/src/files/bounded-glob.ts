import { readdir } from "node:fs";
import { BadDataError } from "@mbs/contracts";
import { glob } from "tinyglobby";

/** How far one pattern may search. */
export interface GlobBounds {
  readonly folders: number;
  /** Files and folders seen on the way. */
  readonly entries: number;
}

const defaultBounds: GlobBounds = { folders: 20_000, entries: 1_000_000 };

/**
 * Files that match a pattern, sorted.
 *
 * @param folder what the pattern is relative to
 * @param where the manifest and language of the pattern, for the error
 * @throws {BadDataError} where the search exceeds the bounds, as over a whole disk
 */
export async function boundedGlob(
  pattern: string,
  folder: string,
  where: string,
  bounds: GlobBounds = defaultBounds,
): Promise<readonly string[]> {
  const stop = new AbortController();
  let folders = 0;
  let entries = 0;
  const counted = (path: string, options: { withFileTypes: true }, done: Parameters<typeof readdir>[2]): void => {
    folders += 1;
    if (folders > bounds.folders) stop.abort();
    readdir(path, options, (error, found) => {
      entries += found?.length ?? 0;
      if (entries > bounds.entries) stop.abort();
      (done as (error: Error | null, found: unknown) => void)(error, found);
    });
  };
  const paths = await glob(pattern, {
    cwd: folder,
    absolute: true,
    dot: false,
    // the name of a folder is no pattern for all that is below it
    expandDirectories: false,
    signal: stop.signal,
    // fdir calls it in this form alone; the type wants all of them
    fs: { readdir: counted as unknown as typeof readdir },
  });
  if (!stop.signal.aborted) return paths.sort();
  throw new BadDataError(
    `${where}: ${JSON.stringify(pattern)} searches more than ${bounds.folders} folders or ${bounds.entries} files; ` +
      "let it begin with the folder that holds the texts, such as texts/en/*.jsonl",
    { pattern },
  );
}
