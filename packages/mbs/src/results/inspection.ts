import {
  collectScores,
  layerShape,
  parseMetadata,
  readAllocation,
  readBitAllocation,
  readDamage,
  readFactors,
  readFiles,
  readLastStates,
  readLayers,
  readMixes,
  readSegments,
  readSimilarities,
  readStates,
  readStatistics,
} from "@mbs/artifacts";
import type { ArtifactKind } from "@mbs/artifacts";
import type { StoredTensor } from "@mbs/assembly";
import type { ArtifactStream } from "@mbs/contracts";
import { ExpertUsage, languageUsage, starvedExperts } from "@mbs/reporting";

/** One line of a summary: a cell by column title. */
export type InspectionRow = Readonly<Record<string, string | number>>;

/** What an artifact holds. */
export interface Inspection {
  readonly rows: readonly InspectionRow[];
  /** What each language uses of the experts of a mixture; absent where there are none. */
  readonly experts?: readonly InspectionRow[];
  /** What each tensor is stored as; absent for kinds that have no such tensors. */
  readonly tensors?: readonly StoredTensor[];
}

/** Adds numbers up under a key. */
class Sums {
  readonly #rows = new Map<string, Record<string, string | number>>();

  add(labels: Readonly<Record<string, string>>, amounts: Readonly<Record<string, number>>): void {
    const key = JSON.stringify(labels);
    const row = this.#rows.get(key) ?? { ...labels };
    for (const [name, amount] of Object.entries(amounts)) row[name] = Number(row[name] ?? 0) + amount;
    this.#rows.set(key, row);
  }

  rows(): readonly InspectionRow[] {
    return [...this.#rows.values()];
  }
}

const short = (value: number): number => Number(value.toPrecision(4));

async function inspectSegments(stream: ArtifactStream): Promise<Inspection> {
  const sums = new Sums();
  for await (const { language, documents, tokens, target } of readSegments(stream)) {
    sums.add({ language }, { segments: 1, documents, tokens: tokens.length, ...(target && { target: target.length - 1 }) });
  }
  return { rows: sums.rows() };
}

async function inspectStatistics(stream: ArtifactStream): Promise<Inspection> {
  const sums = new Sums();
  const usage = new ExpertUsage();
  for await (const statistic of readStatistics(stream, { shards: true })) {
    const { block, site, kind, width, tokens } = statistic;
    usage.take(statistic);
    sums.add({ block, site, kind, width: String(width) }, { languages: 1, tokens });
  }
  const blocks = usage.blocks();
  const all = blocks.reduce((sum, { experts }) => sum + experts, 0);
  const experts = languageUsage(blocks).map(({ language, tokens, effective, unreached, few }) => ({
    language,
    tokens,
    experts: all,
    "in even use": `${Math.round((100 * effective * blocks.length) / all)}%`,
    "not reached": unreached,
    "fewer tokens than channels": few,
  }));
  const starved = starvedExperts(blocks);
  const total = { language: "all", tokens: experts.reduce((sum, { tokens }) => sum + tokens, 0), experts: all };
  const unreached = starved.filter(({ reached }) => reached === 0).length;
  return {
    rows: sums.rows(),
    ...(experts.length > 0 && {
      experts: [
        ...experts,
        { ...total, "in even use": "", "not reached": unreached, "fewer tokens than channels": starved.length },
      ],
    }),
  };
}

async function inspectStates(stream: ArtifactStream): Promise<Inspection> {
  const sums = new Sums();
  for await (const { language, stream: name, rows, width } of readStates(stream)) {
    sums.add({ language, stream: name, width: String(width) }, { segments: 1, tokens: rows });
  }
  return { rows: sums.rows() };
}

async function inspectLastStates(stream: ArtifactStream): Promise<Inspection> {
  const sums = new Sums();
  for await (const { language, rows, width } of readLastStates(stream)) {
    sums.add({ language, width: String(width) }, { windows: 1, tokens: rows });
  }
  return { rows: sums.rows() };
}

async function inspectFactors(stream: ArtifactStream): Promise<Inspection> {
  const rows: InspectionRow[] = [];
  for await (const { block, site, width, summary } of readFactors(stream)) {
    const { tokens, orderName, damping, precision, retries, dead, factorised, fallback = "" } = summary;
    rows.push({
      block,
      site,
      width,
      tokens,
      order: orderName,
      damping,
      precision,
      retries,
      dead: dead.length,
      factor: factorised ? "yes" : fallback || "no",
    });
  }
  return { rows };
}

async function inspectAllocation(stream: ArtifactStream): Promise<Inspection> {
  const rows: InspectionRow[] = [];
  const tensors: StoredTensor[] = [];
  if (parseMetadata("allocation", stream.schema).bitsPerWeight !== undefined) {
    for await (const { tensor, parameters, importance, grid } of readBitAllocation(stream)) {
      rows.push({ tensor, parameters, importance: short(importance), bits: grid.kind === "blocks" ? grid.type : grid.bits });
      tensors.push({ tensor, ...grid });
    }
    return { rows, tensors };
  }
  for await (const { block, tensor, parameters, importance, sparsity } of readAllocation(stream))
    rows.push({
      ...(tensor === undefined ? { block } : { tensor }),
      parameters,
      importance: short(importance),
      sparsity: short(sparsity),
    });
  return { rows };
}

async function inspectLayers(stream: ArtifactStream): Promise<Inspection> {
  const rows: InspectionRow[] = [];
  const tensors: StoredTensor[] = [];
  for await (const layer of readLayers(stream, { parts: true })) {
    const { tensor, summary } = layer;
    const { solver, damage, sparsity, bits, groupSize, grid, fallback = "" } = summary;
    const { dtype, rows: height, columns } = layerShape(layer);
    rows.push({
      tensor,
      shape: `${height}×${columns}`,
      dtype,
      solver,
      damage: short(damage),
      sparsity: short(sparsity),
      bits: bits ?? grid ?? "",
      group: groupSize ?? "",
      fallback,
    });
    tensors.push({ tensor, bits, type: grid });
  }
  return { rows, tensors };
}

/** Texts, then tasks where there are any: the columns of what the first rows are. */
async function inspectScores(stream: ArtifactStream): Promise<Inspection> {
  const { windows, tasks } = await collectScores(stream, { shards: true });
  const texts = new Sums();
  for (const { model, language, nll, tokens, bytes } of windows) {
    texts.add({ model, language }, { windows: 1, tokens, bytes, nll });
  }
  const perplexities = texts
    .rows()
    .map(({ nll, ...row }) => ({ ...row, perplexity: short(Math.exp(Number(nll) / Number(row["tokens"]))) }));
  const answered = new Map<string, { row: InspectionRow; documents: Set<number>; rows: number }>();
  for (const { model, language, task, document } of tasks) {
    const key = JSON.stringify([model, task]);
    const own = answered.get(key) ?? { row: { model, language, task }, documents: new Set<number>(), rows: 0 };
    own.documents.add(document);
    own.rows += 1;
    answered.set(key, own);
  }
  const answers = [...answered.values()].map(({ row, documents, rows }) => ({ ...row, documents: documents.size, rows }));
  if (perplexities.length === 0 || answers.length === 0) return { rows: [...perplexities, ...answers] };
  const none = { task: "", documents: "", rows: "" };
  return { rows: [...perplexities.map((row) => ({ ...row, ...none })), ...answers] };
}

async function inspectSimilarities(stream: ArtifactStream): Promise<Inspection> {
  const rows: InspectionRow[] = [];
  for await (const { block, site, first, second, measure, value } of readSimilarities(stream))
    rows.push({ block, site, first, second, measure, value: short(value) });
  return { rows };
}

async function inspectDamage(stream: ArtifactStream): Promise<Inspection> {
  const rows: InspectionRow[] = [];
  for await (const { tensor, language, moment, error, output, damage } of readDamage(stream))
    rows.push({ tensor, language, moment, error: short(error), output: short(output), damage: short(damage) });
  return { rows };
}

async function inspectMixes(stream: ArtifactStream): Promise<Inspection> {
  const rows: InspectionRow[] = [];
  for await (const { mix, language, weight, loss, low, high } of readMixes(stream))
    rows.push({ mix, language, weight: short(weight), loss: short(loss), low: short(low), high: short(high) });
  return { rows };
}

async function inspectFiles(stream: ArtifactStream): Promise<Inspection> {
  const sums = new Sums();
  for await (const { path, data } of readFiles(stream)) sums.add({ path }, { bytes: data.length });
  return { rows: sums.rows() };
}

/** A cell of any column; of binary values the size. */
function cellOf(value: unknown): string | number {
  if (typeof value === "number") return Number.isInteger(value) ? value : short(value);
  if (ArrayBuffer.isView(value)) return `${value.byteLength} bytes`;
  return String(value);
}

/** The rows of an artifact of a third-party kind. */
export async function inspectRows({ schema, batches }: ArtifactStream): Promise<Inspection> {
  const rows: InspectionRow[] = [];
  for await (const batch of batches) {
    for (let row = 0; row < batch.rows; row += 1) {
      rows.push(Object.fromEntries(schema.fields.map(({ name }) => [name, cellOf(batch.columns[name]?.[row])])));
    }
  }
  return { rows };
}

/** The summary of each kind. Each reads its stream to the end, which verifies it. */
export const inspections: Readonly<Record<ArtifactKind, (stream: ArtifactStream) => Promise<Inspection>>> = {
  segments: inspectSegments,
  statistics: inspectStatistics,
  states: inspectStates,
  "last-states": inspectLastStates,
  factors: inspectFactors,
  allocation: inspectAllocation,
  layers: inspectLayers,
  scores: inspectScores,
  similarity: inspectSimilarities,
  damage: inspectDamage,
  mixes: inspectMixes,
  files: inspectFiles,
};
