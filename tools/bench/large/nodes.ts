/**
 * Runs a recipe as `mbs run` does, in this process, and prints one line of JSON: seconds and processor seconds of every
 * node, both in all, and the peak resident memory.
 *
 * usage: node --conditions=mbs-source --import tsx tools/bench/large/nodes.ts RECIPE [THREADS]
 */
import { loadStages } from "../../../packages/mbs/src/stages.ts";
import { readRecipe, run } from "@mbs/pipeline";

const [recipe = "", threads = "2"] = process.argv.slice(2);
const processorSeconds = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};
const nodes: { id: string; stage: string; seconds: number; processorSeconds: number; peakBytes: number; address: string }[] = [];
const started = performance.now();
let before = processorSeconds();
await run(await readRecipe(recipe), {
  stages: await loadStages(),
  threads: Number(threads),
  signal: new AbortController().signal,
  force: true,
  onNode({ id, stage, seconds = 0, address }) {
    const now = processorSeconds();
    const peakBytes = process.resourceUsage().maxRSS * 1024;
    nodes.push({ id, stage, seconds, processorSeconds: now - before, peakBytes, address });
    before = now;
  },
});
const seconds = (performance.now() - started) / 1000;
const peakBytes = process.resourceUsage().maxRSS * 1024;
process.stdout.write(`${JSON.stringify({ seconds, processorSeconds: processorSeconds(), peakBytes, nodes })}\n`);
