/**
 * Prints how long BLOOM-7b1 and BLOOM-176B would take on 1 to 256 workers of one thread: a simulation with the processor seconds of
 * nodes, measured on one block
 * of BLOOM-7b1's shape at two numbers of segments.
 *
 * usage: node --conditions=mbs-source --import tsx tools/scaling/bloom.ts FEW.json MANY.json, outputs of tools/bench/large/nodes.ts
 */
import { readFileSync } from "node:fs";
import { planRun, recipeFrom } from "@mbs/pipeline";
import type { PlanNode, Propagation } from "@mbs/pipeline";
import { criticalPath, simulate } from "./simulate.ts";
import type { NodeCost } from "./simulate.ts";

interface Measured {
  readonly segments: number;
  readonly nodes: readonly { readonly id: string; readonly processorSeconds: number }[];
}

/** A shape, in the terms of its matrices. */
interface Shape {
  readonly name: string;
  readonly blocks: number;
  readonly width: number;
}

const segmentTokens = 2048;
const segments = 256;
/** 10 Gbit/s; what the queue adds to a node, its aim in docs/scaling.md. */
const network = { bandwidth: 1.25e9, overhead: 0.05 };
const workerCounts = [1, 2, 4, 8, 16, 32, 64, 128, 256];
const bloom7: Shape = { name: "BLOOM-7b1", blocks: 30, width: 4096 };
const bloom176: Shape = { name: "BLOOM-176B", blocks: 70, width: 14336 };
/** Bytes a second at which `add` reads and sums, measured with Gemma 3 270m. */
const addRate = 0.28e9;
const sites = ["attention-qkv", "attention-output", "mlp-up", "mlp-down"] as const;
type Site = (typeof sites)[number];

const inputOf = (site: Site, width: number): number => (site === "mlp-down" ? 4 * width : width);
const rowsOf = (site: Site, width: number): number =>
  ({ "attention-qkv": 3 * width, "attention-output": width, "mlp-up": 4 * width, "mlp-down": width })[site];

const [fewPath = "", manyPath = ""] = process.argv.slice(2);
const read = (path: string): Measured => JSON.parse(readFileSync(path, "utf8")) as Measured;
const [few, many] = [read(fewPath), read(manyPath)];

function measured(from: Measured, start: string): number {
  const found = from.nodes.find(({ id }) => id.startsWith(start));
  if (found === undefined) throw new Error(`nothing was measured of ${start}`);
  return found.processorSeconds;
}

/** Seconds that do not grow with the tokens, and those of a segment. */
function line(start: string): { readonly fixed: number; readonly segment: number } {
  const segment = (measured(many, start) - measured(few, start)) / (many.segments - few.segments);
  return { segment, fixed: Math.max(0, measured(few, start) - few.segments * segment) };
}

/** Share of the products of a block's weights in those of a capture, which has the Grams beside them: 12 w² to 9.5 w². */
const forwardShare = 12 / (12 + 9.5);

/** Node times of a shape: those of BLOOM-7b1 as measured, those of others by their operations. */
function costsOf({ width, blocks }: Shape, shards: number, propagation: Propagation): (node: PlanNode) => NodeCost {
  const wider = width / bloom7.width;
  const own = segments / shards;
  const states = own * segmentTokens * width * 4;
  const block = (start: string): number => {
    const { fixed, segment } = line(start);
    return wider ** 2 * (fixed + own * segment);
  };
  const gramOf = (site: Site): number => 2 * inputOf(site, width) ** 2;
  /** Values of two bytes and a code of one. */
  const layersOf = (site: Site): number => 3 * rowsOf(site, width) * inputOf(site, width);
  return ({ id, stage, options }) => {
    const named = sites.filter((name) => id.includes(name));
    const covered: readonly Site[] = named.length > 0 ? named : sites;
    /** Of sites that a node covers, in all blocks or in its own. */
    const total = (of: (site: Site) => number, times = id.includes("h.") ? 1 : blocks): number =>
      times * covered.reduce((sum, site) => sum + of(site), 0);
    const grams = total(gramOf);
    const layers = total(layersOf);
    /** Of shards of the blocks, which a plan with dense propagation has. */
    const blockShards = id.includes("blocks-") ? Math.min(shards, blocks) : 1;
    switch (stage) {
      case "sample":
        return { seconds: measured(many, "sample"), bytes: segments * segmentTokens * 4 };
      case "propagate": {
        const whole = forwardShare * total((site) => block(`capture.h.0.${site}`));
        // behind the last site of a block there is one product, the quarter of what mlp-up has
        const rest = propagation === "true-sequential" ? block("capture.h.0.mlp-up") / 2 : whole;
        return { seconds: id.includes("embedding") ? block("propagate.embedding") : rest, bytes: states };
      }
      case "capture":
        return { seconds: total((site) => block(`capture.h.0.${site}`)), bytes: grams };
      case "add":
        return { seconds: (grams * Math.min(8, shards)) / addRate, bytes: grams };
      case "factor":
        return {
          seconds: total((site) => wider ** 3 * measured(many, `factor.h.0.${site}`)) / blockShards,
          bytes: (2 * grams) / blockShards,
        };
      case "compress": {
        const seconds = total((site) => wider ** 3 * measured(many, `compress.h.0.${site}`)) / blockShards;
        if (typeof options["rows"] !== "string") return { seconds, bytes: layers / blockShards };
        const parts = Number(options["rows"].split("/")[1]);
        // each part reads the whole factor
        const reading = (2 * grams) / addRate;
        return { seconds: reading + Math.max(0, seconds - reading) / parts, bytes: layers / parts };
      }
      case "join-layers":
        return { seconds: layers / addRate, bytes: layers };
      default:
        return { seconds: wider ** 2 * measured(many, "assemble"), bytes: 0 };
    }
  };
}

const planOf = ({ blocks, width }: Shape, shards: number, propagation: Propagation): readonly PlanNode[] =>
  planRun(
    {
      ...recipeFrom({ model: "m", corpus: "c", shards, propagation, compress: { solver: "gptq" }, output: "o" }),
      capture: { grams: "pooled" },
      splitsRows: true,
    },
    {
      blocks: Array.from({ length: blocks }, (_, block) => ({
        name: `h.${block}`,
        sites: sites.map((site) => ({ name: site, width: inputOf(site, width), weights: [{ rows: rowsOf(site, width) }] })),
      })),
      siteRounds: () => sites.map((site) => [site]),
    },
    "o/model",
  ).nodes;

const hours = (seconds: number): string => (seconds / 3600).toFixed(1);
const print = (...cells: readonly (string | number)[]): void => console.log(`| ${cells.join(" | ")} |`);

/** Nodes that every shard waits for: those that read the sums over all of them. */
const barriersOf = (nodes: readonly PlanNode[]): number => {
  const last = new Set(nodes.filter(({ stage }) => stage === "add").map(({ id }) => id));
  for (const { stage, inputs } of nodes) if (stage === "add") for (const id of Object.values(inputs).flat()) last.delete(id);
  return last.size;
};

for (const shape of [bloom7, bloom176]) {
  console.log(`\n### ${shape.name}\n`);
  print("workers", "hours", "speed-up", "of the workers' time", "hours of the longest chain", "moved, GB");
  print("---:", "---:", "---:", "---:", "---:", "---:");
  let alone = 0;
  for (const workers of workerCounts) {
    const nodes = planOf(shape, workers, "true-sequential");
    const cost = costsOf(shape, workers, "true-sequential");
    const { seconds, moved, busy } = simulate(nodes, cost, workers, network);
    alone ||= seconds;
    const chain = hours(criticalPath(nodes, cost));
    print(workers, hours(seconds), (alone / seconds).toFixed(1), `${Math.round(100 * busy)}%`, chain, Math.round(moved / 1e9));
  }
  console.log();
  const compared = [8, 64];
  print("propagation", "barriers", ...compared.flatMap((workers) => [`hours on ${workers} workers`, "moved, GB"]));
  print("---", "---:", ...compared.flatMap(() => ["---:", "---:"]));
  for (const propagation of ["dense", "sequential", "true-sequential"] as const) {
    const results = compared.map((workers) => {
      const nodes = planOf(shape, workers, propagation);
      return { nodes, ...simulate(nodes, costsOf(shape, workers, propagation), workers, network) };
    });
    print(
      propagation,
      barriersOf(results[0]?.nodes ?? []),
      ...results.flatMap(({ seconds, moved }) => [hours(seconds), Math.round(moved / 1e9)]),
    );
  }
}
