import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { Plugin } from "esbuild";

/** Bundles our packages, and leaves those of others where they are. */
const ours: Plugin = {
  name: "ours",
  setup(bundler) {
    bundler.onResolve({ filter: /^[^./]/ }, ({ path }) => (path.startsWith("@mbs/") ? undefined : { path, external: true }));
  },
};

const folders = new Map<string, string>();

/** A folder for this process in which programs find what their package imports. @param packageFolder absolute */
function folderIn(packageFolder: string): string {
  const known = folders.get(packageFolder);
  if (known !== undefined) return known;
  const modules = join(packageFolder, "node_modules");
  mkdirSync(modules, { recursive: true });
  const folder = mkdtempSync(join(modules, ".test-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  folders.set(packageFolder, folder);
  return folder;
}

/**
 * The command that starts a program of a package's tests. All our TypeScript that it imports is in one file: by tsx each start
 * takes four times as long.
 *
 * @param source its file, in packages/NAME/test
 */
export async function buildProgram(source: URL): Promise<readonly [program: string, ...words: string[]]> {
  const path = fileURLToPath(source);
  const [packageFolder] = /^.*\/packages\/[^/]+/.exec(path) ?? [];
  if (packageFolder === undefined) throw new Error(`${path} is in no package`);
  const outfile = join(folderIn(packageFolder), `${basename(path, ".ts")}.mjs`);
  await build({
    entryPoints: [path],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    conditions: ["mbs-source"],
    plugins: [ours],
  });
  return [process.execPath, outfile];
}
