/**
 * Removes what the compiler wrote for sources that are gone: it leaves old outputs, and a tarball would ship them.
 *
 * usage: node --import tsx tools/packing/remove-stale.ts PACKAGE…   (folders with src and dist; those without dist are passed over)
 */
import { existsSync, readdirSync, rmdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** Ends of the names that the compiler gives to what it makes of NAME.ts. */
const endings = /(\.d\.ts|\.js)(\.map)?$/;

/** @returns paths of the outputs below dist that no source makes any more, relative to dist */
export function staleOutputs(folder: string): string[] {
  const dist = join(folder, "dist");
  if (!existsSync(dist)) return [];
  const files = readdirSync(dist, { recursive: true, encoding: "utf8" }).filter((path) => endings.test(path));
  return files.filter((path) => !existsSync(join(folder, "src", path.replace(endings, ".ts"))));
}

function removeEmptyFolders(folder: string): void {
  for (const name of readdirSync(folder)) if (statSync(join(folder, name)).isDirectory()) removeEmptyFolders(join(folder, name));
  if (readdirSync(folder).length === 0) rmdirSync(folder);
}

/** Removes stale outputs of a package, and folders that are empty then. */
export function removeStale(folder: string): void {
  const stale = staleOutputs(folder);
  for (const path of stale) rmSync(join(folder, "dist", path));
  if (stale.length > 0) removeEmptyFolders(join(folder, "dist"));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href)
  for (const folder of process.argv.slice(2)) removeStale(folder);
