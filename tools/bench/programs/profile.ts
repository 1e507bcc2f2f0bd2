/**
 * Where the time of a run goes: profiles `mbs run` on a case with 8 and with 32 segments, on one thread, and writes a picture,
 * docs/performance/time.svg, and a table into docs/performance.md, between `<!-- bench time -->` and `<!-- end -->`.
 *
 * usage: node --conditions=mbs-source --import tsx tools/bench/programs/profile.ts --output FOLDER --model FOLDER --corpus C
 *   --model   Gemma 3 270m as a Hugging Face folder, and --corpus texts for it (docs/measured/real-models.md)
 *
 * Needs `npm run build`. The profile is V8's, of the main thread: what other threads do (collecting garbage, reading and writing
 * files) shows only as far as the main thread waits for it.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { stringify } from "yaml";
import { markdownTable, replaceBlocks } from "../../pages/blocks.ts";
import { toSvg } from "../../pages/plot.ts";
import { cases } from "./cases.ts";
import type { BenchCase } from "./cases.ts";

interface Profile {
  readonly nodes: readonly { readonly id: number; readonly callFrame: { readonly functionName: string; readonly url: string } }[];
  readonly samples: readonly number[];
  /** Microseconds before each sample. */
  readonly timeDeltas: readonly number[];
}

/** What a function belongs to: the first rule that holds. Products and attention are in ONNX Runtime, grids and columns in WebAssembly. */
const rules: readonly (readonly [name: string, holds: (name: string, url: string) => boolean])[] = [
  ["products and attention", (_, url) => url.includes("onnxruntime-node")],
  ["grids and columns", (_, url) => url.startsWith("wasm:")],
  ["garbage collector", (name) => name === "(garbage collector)"],
  ["hashes", (_, url) => url.startsWith("node:internal/crypto")],
  ["waiting", (name) => name === "(idle)"],
  ["files", (name, url) => /^node:(internal\/)?fs/.test(url) || /^(read|write|open|close|lstat|stat|fsync|rename)/.test(name)],
  ["tokenizer and headers", (_, url) => /tokenizers|models\/dist\/(tokenizer|folder)/.test(url)],
  ["copies, conversions and checks", (_, url) => url.includes("/packages/")],
];
const other = "the rest";

const { values } = parseArgs({ options: { output: { type: "string" }, model: { type: "string" }, corpus: { type: "string" } } });
const { output, model, corpus } = values;
if (output === undefined || model === undefined || corpus === undefined) {
  throw new Error("usage: profile.ts --output FOLDER --model FOLDER --corpus C");
}
const folder = resolve(output);
const root = fileURLToPath(new URL("../../../", import.meta.url));
const sizes = [8, 32] as const;
const profiled = cases.filter(({ name }) => name === "gemma3-gptq" || name === "gemma3-gptq-defaults");

/** Seconds of each part of a profiled run, which is made where it is not there yet. */
function measure({ name, size: { length }, recipe: own }: BenchCase, segments: number): ReadonlyMap<string, number> {
  const into = join(folder, `profile-${name}-${segments}`);
  if (!existsSync(into)) {
    const made = join(folder, "profiled");
    rmSync(made, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const sample = { mix: "equal", segments, length, reuse: true };
    const recipe = { model: resolve(model ?? ""), corpus: resolve(corpus ?? ""), sample, ...own, output: made };
    writeFileSync(`${made}.yaml`, stringify(recipe));
    // in the process that is profiled
    const words = [join(root, "packages/mbs/bin/mbs.js"), "run", `${made}.yaml`, "--threads", "1", "--workers", "0"];
    const run = spawnSync(process.execPath, ["--cpu-prof", `--cpu-prof-dir=${into}`, ...words], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    if (run.status !== 0) throw new Error(`mbs run ${made}.yaml failed`);
    rmSync(made, { recursive: true, force: true });
  }
  const [file = ""] = readdirSync(into).sort();
  const profile = JSON.parse(readFileSync(join(into, file), "utf8")) as Profile;
  const parts = new Map(
    profile.nodes.map(({ id, callFrame: { functionName, url } }) => [
      id,
      rules.find(([, holds]) => holds(functionName, url))?.[0] ?? other,
    ]),
  );
  const seconds = new Map<string, number>();
  for (const [index, sample] of profile.samples.entries()) {
    const part = parts.get(sample) ?? other;
    seconds.set(part, (seconds.get(part) ?? 0) + (profile.timeDeltas[index + 1] ?? 0) / 1e6);
  }
  return seconds;
}

const order = [...rules.map(([name]) => name), other];
const columns = profiled.flatMap((each) =>
  sizes.map((segments) => {
    const settings = each.defaults ? "defaults" : "plain";
    return { title: `${settings}, ${segments} segments`, seconds: measure(each, segments) };
  }),
);
const whole = (seconds: ReadonlyMap<string, number>): number => [...seconds.values()].reduce((sum, value) => sum + value, 0);
const rows = order.map((part) => [
  part,
  ...columns.map(({ seconds }) => {
    const own = seconds.get(part) ?? 0;
    return `${own.toFixed(1)} (${((100 * own) / whole(seconds)).toFixed(0)}%)`;
  }),
]);
const table = markdownTable(
  ["seconds of the main thread", ...columns.map(({ title }) => title)],
  [...rows, ["all", ...columns.map(({ seconds }) => whole(seconds).toFixed(1))]],
);
const page = join(root, "docs/performance.md");
writeFileSync(page, replaceBlocks(readFileSync(page, "utf8"), "bench", { time: table }));
const points = columns.flatMap(({ title, seconds }) =>
  order.map((part, index) => ({ run: title, part, index, seconds: seconds.get(part) ?? 0 })),
);
writeFileSync(
  join(root, "docs/performance/time.svg"),
  await toSvg({
    data: { values: points },
    width: 560,
    height: { step: 34 },
    mark: { type: "bar", stroke: "white", strokeWidth: 0.5 },
    encoding: {
      y: { field: "run", type: "nominal", sort: null, title: null, axis: { labelLimit: 260 } },
      x: { field: "seconds", type: "quantitative", title: "seconds of the main thread, one thread for products" },
      color: {
        field: "part",
        type: "nominal",
        sort: order,
        title: null,
        scale: {
          domain: order,
          range: ["#3b82c4", "#7fb3dd", "#c94f4f", "#8f6bb8", "#d9d9d9", "#e08214", "#f2b872", "#35a06a", "#777777"],
        },
        legend: { orient: "bottom", columns: 3, labelLimit: 260 },
      },
      order: { field: "index", type: "quantitative" },
    },
    config: { background: "white", font: "sans-serif" },
  }),
);
