import { lstatSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { emptyProject, packAll, readManifests } from "../packing/tarballs.ts";

export interface Install {
  /** Packages in node_modules by name, ours included; a second version of one counts as the same. */
  readonly packages: number;
  /** Disk space of node_modules, as `du -m` counts it. */
  readonly mebibytes: number;
}

/** A package's folder in a node_modules folder: `name` or `@scope/name`. */
const packageFolder = /(?:^|\/)node_modules\/((?:@[^/]+\/)?[^@./][^/]*)$/;

/** Counts what is installed in a project. */
export function measureModules(project: string): Install {
  const paths = [
    "node_modules",
    ...readdirSync(join(project, "node_modules"), { recursive: true, encoding: "utf8" }).map((path) => `node_modules/${path}`),
  ];
  const names = new Set<string>();
  let blocks = 0;
  for (const path of paths) {
    const entry = lstatSync(join(project, path));
    blocks += entry.blocks;
    const name = entry.isDirectory() ? packageFolder.exec(path)?.[1] : undefined;
    if (name !== undefined) names.add(name);
  }
  return { packages: names.size, mebibytes: Math.ceil((blocks * 512) / 2 ** 20) };
}

/** What `npm install mbs` brings of ours: all packages but those that are optional. */
function installed(root: string): readonly string[] {
  const manifests = readManifests(root);
  const optional = new Set([...manifests.values()].flatMap(({ peerDependencies = {} }) => Object.keys(peerDependencies)));
  return [...manifests.keys()].filter((name) => !optional.has(name));
}

/** What a user gets who installs mbs with its tarballs into an empty folder. Needs the build, and npm's registry or cache. */
export function measureInstall(root: string): Install {
  const work = mkdtempSync(join(tmpdir(), "mbs-install-"));
  try {
    return measureModules(emptyProject(work, packAll(root, installed(root), work).values()));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
