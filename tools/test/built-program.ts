import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
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

/** Bundles our packages. Those of others are imported by path, from where they lie for the file that imports them. */
const oursInPlace: Plugin = {
  name: "ours in place",
  setup(bundler) {
    bundler.onResolve({ filter: /^[^./]/ }, async ({ path, pluginData, ...from }) => {
      if (path.startsWith("@mbs/") || path.startsWith("node:") || pluginData === oursInPlace) return undefined;
      const found = await bundler.resolve(path, { ...from, pluginData: oursInPlace });
      return { path: found.errors.length > 0 ? path : found.path, external: true };
    });
    // files beside a module are found from where it was
    bundler.onLoad({ filter: /\/packages\/[^/]+\/dist\/.*\.js$/ }, async ({ path }) => {
      const text = await readFile(path, "utf8");
      const [url, folder] = [JSON.stringify(pathToFileURL(path).href), JSON.stringify(dirname(path))];
      return { contents: text.replaceAll("import.meta.url", url).replaceAll("import.meta.dirname", folder), loader: "js" };
    });
  },
};

/**
 * A program of a package that is built, in few files: most of the time of a short one goes into finding and reading hundreds.
 * A module that it imports by a path or name known only when it runs gets our packages a second time, from their folders.
 *
 * @param program its file, which imports from dist
 * @returns the path of the same program, for as long as this process runs
 */
export async function bundleBuilt(program: URL): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "mbs-built-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  // some tests start it as another user
  chmodSync(folder, 0o755);
  const path = fileURLToPath(program);
  await build({
    entryPoints: [path],
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    splitting: true,
    platform: "node",
    format: "esm",
    target: "node20",
    plugins: [oursInPlace],
  });
  return join(folder, `${basename(path, ".js")}.mjs`);
}
