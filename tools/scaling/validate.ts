/**
 * Compares a simulation with a real run: node times of a run with one worker, on the plan of the same recipe, for two workers.
 *
 * usage: node --conditions=mbs-source --import tsx tools/scaling/validate.ts RECIPE ONE.jsonl
 *   ONE.jsonl  what `mbs run RECIPE --workers 1 --threads 1 --json` printed
 */
import { readFileSync } from "node:fs";
import { createObjectPool } from "@mbs/contracts";
import { readRecipe } from "@mbs/pipeline";
import type { NodeReport } from "@mbs/pipeline";
import { loadStages } from "../../packages/mbs/src/stages.ts";
import { prepareRun } from "../../packages/pipeline/src/plan/prepared-run.ts";
import { simulate } from "./simulate.ts";

const [recipe = "", reports = ""] = process.argv.slice(2);
const seconds = new Map(
  readFileSync(reports, "utf8")
    .trim()
    .split("\n")
    .map((text) => JSON.parse(text) as NodeReport)
    .map((report) => [report.id, report.seconds ?? 0]),
);
const pool = createObjectPool();
const { plan } = await prepareRun(await readRecipe(recipe), await loadStages(), { revisions: {}, pool });
for (const workers of [1, 2]) {
  const found = simulate(plan.nodes, ({ id }) => ({ seconds: seconds.get(id) ?? 0, bytes: 0 }), workers, {
    bandwidth: Infinity,
    overhead: 0,
  });
  console.log(`${workers} workers: ${found.seconds.toFixed(1)} s, ${Math.round(found.busy * 100)}% of their time`);
}
