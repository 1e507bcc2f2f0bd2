/**
 * Writes what follows of a package's sources: package.json, tsconfig.json, LICENSE, and the references of the root.
 *
 * usage: npm run packages
 */
import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { staleFiles } from "./package-files.ts";

const root = resolve(import.meta.dirname, "../..");
for (const { path, content } of staleFiles(root)) {
  writeFileSync(join(root, path), content);
  process.stdout.write(`${path}\n`);
}
