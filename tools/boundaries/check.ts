/**
 * Fails when an import is not allowed by the table of docs/architecture.md, when a host compares with, looks up or plans a stage by name, when public names changed
 * without being recorded, when a test reads what nx does not count as its input, when a file that is no kernel says
 * `as number`, when what `npm run packages` writes is stale, when a text has private words or leads to a page that is not there, when a
 * paragraph is too long, or when a tracked file has lines of a conflict that was not merged.
 *
 * usage: npm run boundaries [-- --update]   (--update records the public names as they are now)
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { findStaleFiles } from "../packages/package-files.ts";
import { findNumberAssertions } from "./assertions.ts";
import { findConflictMarkers } from "./conflict-markers.ts";
import { findDeadLinks } from "./links.ts";
import { findLongParagraphs } from "./paragraphs.ts";
import { readPackages, readPublicNames } from "./read-packages.ts";
import { findViolations } from "./rules.ts";
import { findNamedStages } from "./stage-names.ts";
import { findUncountedInputs, readTestScopes } from "./test-inputs.ts";
import { findPrivateWords } from "./words.ts";

const root = resolve(import.meta.dirname, "../..");
const snapshot = join(import.meta.dirname, "public-names.json");

const names = readPublicNames(root);
const recorded = JSON.parse(readFileSync(snapshot, "utf8")) as Record<string, string[]>;
const changes = [...new Set([...Object.keys(names), ...Object.keys(recorded)])]
  .filter((name) => !isDeepStrictEqual(names[name], recorded[name]))
  .map((name) => {
    const [now, before] = [names[name] ?? [], recorded[name] ?? []];
    const added = now.filter((entry) => !before.includes(entry));
    const gone = before.filter((entry) => !now.includes(entry));
    return `${name}: public names changed (new: ${added.join(", ") || "none"}; gone: ${gone.join(", ") || "none"})`;
  });
const isUpdate = process.argv.includes("--update");
if (isUpdate) {
  writeFileSync(snapshot, `${JSON.stringify(names, null, 2)}\n`);
  process.stdout.write(`recorded: ${changes.join("; ") || "no public name has changed"}\n`);
}
const changed = isUpdate ? [] : changes.map((change) => `${change}; npm run boundaries -- --update records it`);

const packages = readPackages(root);
const violations = [
  ...findViolations(packages),
  ...changed,
  ...findUncountedInputs(root, readTestScopes(root)),
  ...findNumberAssertions(root),
  ...findNamedStages(root),
  ...findStaleFiles(root),
  ...findPrivateWords(root),
  ...findDeadLinks(root),
  ...findLongParagraphs(root),
  ...findConflictMarkers(root),
];
for (const violation of violations) process.stderr.write(`${violation}\n`);
if (violations.length === 0) process.stdout.write(`${packages.length} packages, no violations\n`);
process.exitCode = violations.length > 0 ? 1 : 0;
