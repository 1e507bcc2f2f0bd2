/**
 * Writes packages/corpora/src/generated/presets.ts from datasets/distributions/*.json, so that the presets are part of the
 * installed package. `--check` writes nothing and fails where the file is not up to date.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = join(root, "datasets/distributions");
const target = join(root, "packages/corpora/src/generated/presets.ts");

const files = readdirSync(folder)
  .filter((name) => name.endsWith(".json"))
  .sort();
const presets = files.map((name) => {
  const value: unknown = JSON.parse(readFileSync(join(folder, name), "utf8"));
  return `  ${JSON.stringify(basename(name, ".json"))}: ${JSON.stringify(value)},\n`;
});
const text = `// Made by tools/generate-presets.ts from datasets/distributions; do not edit.
// prettier-ignore
export const presets: Readonly<Record<string, unknown>> = {
${presets.join("")}};
`;

if (!process.argv.includes("--check")) {
  writeFileSync(target, text);
} else if (readFileSync(target, "utf8") !== text) {
  process.stderr.write(`${target} is stale; run: node --import tsx tools/generate-presets.ts\n`);
  process.exitCode = 1;
}
