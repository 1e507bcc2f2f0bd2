/**
 * Compares what is read here with what transformers reads, for each edit of the golden file, every model run once; writes
 * results.json and the table in README.md. Ends with 1 where something is read that differs.
 *
 *     node --conditions=mbs-source --import tsx tools/config-sweep/run.ts [TYPE …]
 *
 * Without types all; of the others results are kept.
 */
import { readFile, writeFile } from "node:fs/promises";
import { edited, readGolden, weightFile } from "../../packages/models/test/config-sweep/bases.ts";
import type { Edit, SweepBase } from "../../packages/models/test/config-sweep/bases.ts";
import { agreement, fingerprint, perplexityOf, readCase } from "../../packages/models/test/config-sweep/sweep.ts";
import type { SweepResult, SweepResults } from "../../packages/models/test/config-sweep/sweep.ts";
import { withTypesTable } from "./types-table.ts";

async function sweep(name: string, base: SweepBase): Promise<SweepResult> {
  const file = await weightFile(base);
  const perplexities = new Map<string, number>();
  const refusedHere: Edit[] = [];
  let [agree, refused, difference] = [0, 0, 0];
  const cases = [[{}, base.perplexity] as const, ...base.cases];
  for (const [edit, verdict] of cases) {
    const read = await readCase(file, edited(base.config, edit));
    if (typeof read === "string") {
      if (typeof verdict === "number") refusedHere.push(edit);
      else refused++;
      continue;
    }
    const print = fingerprint(read, base);
    const own = perplexities.get(print) ?? (await perplexityOf(read, base));
    perplexities.set(print, own);
    const distance = typeof verdict === "number" ? Math.abs(own / verdict - 1) : Infinity;
    if (distance < agreement) agree++;
    else {
      const remedy = verdict === "raises" ? "; declare the key stricter (docs/architectures.md, The keys)" : "";
      process.stderr.write(`${name} ${JSON.stringify(edit)}: perplexity ${own}, in transformers ${verdict}${remedy}\n`);
    }
    if (distance < agreement) difference = Math.max(difference, distance);
  }
  const type = base.config.model_type;
  return {
    type,
    cases: cases.length,
    agree,
    models: perplexities.size,
    refused,
    refusedHere,
    difference: Number(difference.toPrecision(2)),
  };
}

const golden = await readGolden();
const file = new URL("results.json", import.meta.url);
const known = JSON.parse(await readFile(file, "utf8")) as SweepResults;
const types = process.argv.slice(2);
const found: [string, SweepResult][] = [];
for (const [name, base] of Object.entries(golden.bases)) {
  const kept = types.length === 0 || types.includes(base.config.model_type) ? undefined : known.bases[name];
  const result = kept ?? (await sweep(name, base));
  found.push([name, result]);
  if (kept !== undefined) continue;
  const { cases, agree, refused, refusedHere, difference } = result;
  process.stdout.write(`${name}: ${agree} agree, ${refused} and ${refusedHere.length} refused of ${cases}; ${difference}\n`);
  if (agree + refused + refusedHere.length < cases) process.exitCode = 1;
}
const results = { transformers: golden.transformers, bases: Object.fromEntries(found) };
const lines = found.map(([name, { refusedHere, ...result }]) => {
  const edits = refusedHere.map((edit) => `\n${JSON.stringify(edit)}`).join(",");
  return `${JSON.stringify(name)}:{${JSON.stringify(result).slice(1, -1)},"refusedHere":[${edits}]}`;
});
await writeFile(file, `{"transformers":${JSON.stringify(golden.transformers)},"bases":{\n${lines.join(",\n")}\n}}\n`);
const page = new URL("README.md", import.meta.url);
await writeFile(page, withTypesTable(await readFile(page, "utf8"), results));
