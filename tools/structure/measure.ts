/**
 * Measures how the code hangs together: what each idea passes through, what runs, and how much there is. Needs the build.
 *
 * usage: node --conditions=mbs-source --import tsx tools/structure/measure.ts [--json] [--files] [--install]
 *   --files    names the files that are counted, instead of counting more
 *   --install  also what a user installs: packs everything, and takes minutes
 *   --json     prints JSON, as in before.json
 */
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { measureExecuted } from "./executed-files.ts";
import type { Counts } from "./executed-files.ts";
import { bitsFiles, gridFiles } from "./grid-files.ts";
import { measureInstall } from "./production-install.ts";
import { readSources } from "./source-files.ts";

const root = resolve(import.meta.dirname, "../..");
const { values: flags } = parseArgs({
  options: { json: { type: "boolean" }, files: { type: "boolean" }, install: { type: "boolean" } },
});

const total = (counts: Counts): number => Object.values(counts).reduce((sum, count) => sum + count, 0);
const format = (counts: Counts): string =>
  `${total(counts)} (${Object.entries(counts)
    .map(([name, count]) => `${name} ${count}`)
    .join(", ")})`;

const sources = readSources(root);
const [grids, bits] = [gridFiles(sources), bitsFiles(sources)];
if (flags.files) {
  console.log(["files that know of grids:", ...grids, "", "files that bits passes:", ...bits].join("\n"));
} else {
  const measured = {
    gridFiles: grids.length,
    bitsFiles: bits.length,
    executed: measureExecuted(root),
    files: sources.length,
    lines: sources.reduce((sum, { lines }) => sum + lines, 0),
    ...(flags.install && { install: measureInstall(root) }),
  };
  if (flags.json) console.log(JSON.stringify(measured, undefined, 2));
  else {
    const rows: [string, string | number][] = [
      ["files that know of grids", measured.gridFiles],
      ["files that bits passes, from a recipe to the solver", measured.bitsFiles],
    ];
    for (const [way, { files, withFactor }] of Object.entries(measured.executed)) {
      rows.push([`files that run in compress and assemble, ${way}`, format(files)]);
      if (withFactor) rows.push([`the same with factor before them`, format(withFactor)]);
    }
    rows.push(["files of packages", measured.files], ["lines of packages", measured.lines]);
    if (measured.install) rows.push(["installed", `${measured.install.packages} packages, ${measured.install.mebibytes} MiB`]);
    console.log(rows.map(([name, value]) => `${name}: ${value}`).join("\n"));
  }
}
