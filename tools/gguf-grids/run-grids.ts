// The output error of GGUF types by language: ggml's own rounding, without and with an importance, and ours.
// node --conditions=mbs-source --import tsx tools/gguf-grids/run-grids.ts MODEL STATISTICS FACTORS [TYPE,…] [SITE,…]
// STATISTICS by `mbs capture`, FACTORS of them by `mbs factor --order group-aware:256`. A table in Markdown.

import { createReadStream } from "node:fs";
import { cpuUsage } from "node:process";
import { collect, decodeStream, readFactors, readStatistics, type FactorRecord, type Statistic } from "@mbs/artifacts";
import { at, parseOptions, type SiteWeight, type Solution, type SolverStatistics } from "@mbs/contracts";
import { blockGrids, blockTypeNamed, encodeValues, fittingType } from "@mbs/gguf";
import { openModel } from "@mbs/models";
import { unpackUpper } from "@mbs/numbers";
import { createBlas } from "@mbs/onnx";
import { loadSolver, outputsByRow, withGrid } from "@mbs/solvers";

const [modelPath, statisticsPath, factorsPath, typeList, siteList] = process.argv.slice(2);
if (modelPath === undefined || statisticsPath === undefined || factorsPath === undefined) {
  throw new Error("give MODEL STATISTICS FACTORS [TYPE,…] [SITE,…]");
}
const types = typeList === undefined ? [...blockGrids.keys()] : typeList.split(",");
const sites = siteList?.split(",");

const blas = createBlas({ threads: 1 });
const context = { blas, signal: new AbortController().signal, warn: () => {} };
const gptq = await loadSolver("gptq");
const model = await openModel(modelPath, {});
const read = (path: string) => decodeStream(createReadStream(path));

const languageGrams = new Map<string, Statistic[]>();
for (const statistic of await collect(readStatistics(await read(statisticsPath)))) {
  if (statistic.kind !== "gram" || statistic.language === "*") continue;
  const key = `${statistic.step} ${statistic.site}`;
  languageGrams.set(key, [...(languageGrams.get(key) ?? []), statistic]);
}

/** Damage by language, one number a site, of each way to round; and processor seconds. */
const damages = new Map<string, Map<string, number[]>>();
const seconds = new Map<string, number>();

const sum = (rows: Float64Array | undefined): number => (rows ?? new Float64Array()).reduce((total, value) => total + value, 0);

async function measure(
  name: string,
  { weight, languages }: { weight: SiteWeight; languages: readonly Statistic[] },
  solve: () => Promise<Float32Array>,
) {
  const before = cpuUsage();
  const values = await solve();
  const { user, system } = cpuUsage(before);
  seconds.set(name, (seconds.get(name) ?? 0) + (user + system) / 1e6);
  const change = values.map((value, index) => value - at(weight.values, index));
  const own = damages.get(name) ?? new Map<string, number[]>();
  damages.set(name, own);
  for (const { language, values: packedGram } of languages) {
    const [errors, outputs] = await outputsByRow(blas, [change, weight.values], weight.rows, { packedGram });
    own.set(language, [...(own.get(language) ?? []), sum(errors) / sum(outputs)]);
  }
}

function solveBy(
  weight: SiteWeight,
  statistics: SolverStatistics,
  raw: Readonly<Record<string, unknown>>,
): Promise<Float32Array> {
  const options = parseOptions(gptq.options, raw, "gptq");
  const own = withGrid(gptq, options, { ...weight, values: weight.values.slice() });
  const solution = gptq.solve(own, statistics, options, context);
  return Promise.resolve(solution).then(({ values }: Solution) => values);
}

function encodeRows(type: string, { values, columns, rows }: SiteWeight, importance?: Float32Array): Float32Array {
  const { bytes, values: blockValues, decode } = blockTypeNamed(type);
  const rounded = new Float32Array(values.length);
  const stride = (columns / blockValues) * bytes;
  for (let row = 0; row < rows; row += 1) {
    const own = values.slice(row * columns, (row + 1) * columns);
    const blocks = encodeValues(blockTypeNamed(type), own, importance);
    if (blocks.length !== stride) throw new Error(`${type}: ${blocks.length} bytes a row`);
    decode?.(blocks, rounded.subarray(row * columns, (row + 1) * columns));
  }
  return rounded;
}

async function run(record: FactorRecord): Promise<void> {
  const { step, site, width, summary, order, upper, gram, diagonal } = record;
  const found = model.steps.find(({ name }) => name === step)?.sites.find(({ name }) => name === site);
  if (found === undefined || upper === undefined || gram === undefined) return;
  const rows = found.weights.reduce((sum, weight) => sum + weight.rows, 0);
  const values = new Float32Array(rows * width);
  let done = 0;
  for (const { tensor } of found.weights) {
    const own = await model.readWeight(tensor);
    values.set(own, done);
    done += own.length;
  }
  const { orderName, dead, damping } = summary;
  const factor = { order, orderName, upper: unpackUpper(upper, width, "zero"), dead, damping };
  const statistics = { factor, gram: unpackUpper(gram, width, "mirror"), diagonal } as unknown as SolverStatistics;
  const weight = {
    rows,
    columns: width,
    values,
    parts: [{ tensor: site, firstRow: 0, rows, grid: { kind: "none" } as const }],
    scaleDtype: "bf16" as const,
  };
  const task = { weight, languages: languageGrams.get(`${step} ${site}`) ?? [] };
  for (const type of types) {
    if (fittingType(type, width).name !== type) continue;
    await measure(`${type}, ggml`, task, async () => encodeRows(type, weight));
    await measure(`${type}, ggml with importance`, task, async () => encodeRows(type, weight, diagonal));
    await measure(`${type}, gptq`, task, () => solveBy(weight, statistics, { grid: type }));
  }
  const plain = { bits: 4, groupSize: 256, symmetric: false };
  await measure("gptq, 4 bits in groups of 256", task, () => solveBy(weight, statistics, plain));
  process.stderr.write(`${step} ${site}\n`);
}

for await (const record of readFactors(await read(factorsPath))) {
  if (record.site !== "input" && (sites === undefined || sites.includes(record.site))) await run(record);
}
await model.close();
await blas.release();

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const byLanguage = (name: string): Map<string, number> =>
  new Map([...(damages.get(name) ?? [])].map(([language, values]) => [language, mean(values)]));
const percent = (value: number): string => `${(100 * value).toPrecision(3)}%`;

/** The language that keeps the largest share of another way's damage, and how much. */
function leastGain(name: string, other: string): string {
  const before = byLanguage(other);
  const shares = [...byLanguage(name)].map(([language, value]) => [language, value / (before.get(language) ?? NaN)] as const);
  const [language, share] = shares.reduce((most, entry) => (entry[1] > most[1] ? entry : most));
  return `${language} ${share.toFixed(2)}`;
}

console.log("| type | bits | ggml | ggml, importance | gptq | of ggml's, least gain | of importance's, least gain | seconds |");
console.log("|---|---|---|---|---|---|---|---|");
for (const type of types) {
  const names = ["ggml", "ggml with importance", "gptq"].map((way) => `${type}, ${way}`);
  if (!damages.has(at(names, 0))) continue;
  const { bytes, values } = blockTypeNamed(type);
  const figures = names.map((name) => percent(mean([...byLanguage(name).values()])));
  const gains = [leastGain(at(names, 2), at(names, 0)), leastGain(at(names, 2), at(names, 1))];
  console.log(
    `| ${[type, (8 * bytes) / values, ...figures, ...gains, (seconds.get(at(names, 2)) ?? 0).toFixed(1)].join(" | ")} |`,
  );
}
const plainName = "gptq, 4 bits in groups of 256";
console.log(
  `| ${[plainName, "", "", "", percent(mean([...byLanguage(plainName).values()])), "", "", (seconds.get(plainName) ?? 0).toFixed(1)].join(" | ")} |`,
);
