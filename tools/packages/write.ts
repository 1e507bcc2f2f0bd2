/**
 * Writes what follows of packages' sources and of the root's package.json: package.json, tsconfig.json, LICENSE and version.ts of each,
 * the references of the root, and our packages in package-lock.json.
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
