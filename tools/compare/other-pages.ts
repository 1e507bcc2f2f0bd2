/**
 * Copies texts of the comparison with the held-out pages in another order, the same in all languages: rows are scored on the first
 * windows, which are then of other pages, and of more of them.
 *
 * usage: node --conditions=mbs-source --import tsx tools/compare/other-pages.ts --texts FOLDER --output FOLDER
 *   --texts   what tools/compare/texts.ts has made
 *   --output  for --texts of tools/compare/run.ts; must not be there
 */
import { createHash } from "node:crypto";
import { cp, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";

const { values } = parseArgs({ options: { texts: { type: "string" }, output: { type: "string" } } });
const { texts, output } = values;
if (texts === undefined || output === undefined) {
  console.error("usage: tools/compare/other-pages.ts --texts FOLDER --output FOLDER");
  process.exit(2);
}

/** By the page's path alone, which is the same in every language. */
const placeOf = (line: string): string => {
  const { source } = JSON.parse(line) as { source: string };
  return createHash("sha256").update(`order ${source}`).digest("hex");
};

await cp(texts, output, { recursive: true, errorOnExist: true, force: false });
for (const file of await readdir(join(output, "heldout"))) {
  const path = join(output, "heldout", file);
  const pages = (await readFile(path, "utf8")).split("\n").filter((line) => line !== "");
  const placed = pages.map((line) => [placeOf(line), line] as const).sort(([a], [b]) => (a < b ? -1 : 1));
  await writeFile(path, placed.map(([, line]) => `${line}\n`).join(""));
}
