/**
 * Writes what follows of a package's sources: package.json, tsconfig.json, LICENSE, and the references of the root.
 *
 * usage: npm run packages
 */
import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { derivedFiles, findStaleFiles } from "./package-files.ts";

const root = resolve(import.meta.dirname, "../..");
const stale = new Set(findStaleFiles(root).map((line) => line.split(":")[0]));
for (const { path, content } of derivedFiles(root)) {
  if (!stale.has(path)) continue;
  writeFileSync(join(root, path), content);
  process.stdout.write(`${path}\n`);
}
