import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, unknown>>;
}

/** What is in package.json of each package of this project, by its name. @param root of the repository */
export function readManifests(root: string): ReadonlyMap<string, Manifest> {
  const manifests = readdirSync(join(root, "packages")).map(
    (folder) => JSON.parse(readFileSync(join(root, "packages", folder, "package.json"), "utf8")) as Manifest,
  );
  return new Map(manifests.map((manifest) => [manifest.name, manifest]));
}

const npm = (folder: string, ...args: string[]): string =>
  execFileSync("npm", args, { cwd: folder, encoding: "utf8", stdio: "pipe", maxBuffer: 1 << 26 });

/** Packs packages of the repository into a folder. @returns paths of the tarballs by the packages' names */
export function packAll(root: string, names: Iterable<string>, folder: string): Map<string, string> {
  execFileSync(process.execPath, [join(root, "packages/controlled-models/copy-data.mjs")]);
  const args = ["pack", "--json", "--pack-destination", folder, ...[...names].flatMap((name) => ["-w", name])];
  const packed: unknown = JSON.parse(npm(root, ...args));
  const entries = (Array.isArray(packed) ? packed : Object.values(packed as object)) as { name: string; filename: string }[];
  return new Map(entries.map(({ name, filename }) => [name, join(folder, filename)]));
}

/** An empty project, in a new folder below `work`, with tarballs installed as a user does it, without running their scripts. */
export function emptyProject(work: string, tarballs: Iterable<string>): string {
  const project = mkdtempSync(join(work, "project-"));
  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "empty", private: true, type: "module" }));
  npm(project, "install", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", ...tarballs);
  return project;
}
