import { nameShards, parseOptions } from "@mbs/contracts";
import type { ArtifactStream, OptionTable } from "@mbs/contracts";
import type { Presenter } from "@mbs/host-cli";
import type { ScoresReport } from "@mbs/evaluation";
import type { DamageReport, MixesReport } from "@mbs/reporting";

async function report(stream: ArtifactStream): Promise<ScoresReport> {
  const [{ parseMetadata }, { readScoresReport }, { reportByTrainingShare }] = await Promise.all([
    import("@mbs/artifacts"),
    import("@mbs/evaluation"),
    import("@mbs/reporting"),
  ]);
  return reportByTrainingShare(await readScoresReport(stream), parseMetadata("scores", stream.schema).shares);
}

/** Shards are only summed up when they are joined. @returns undefined for scores of all windows and documents */
async function shardLine(stream: ArtifactStream): Promise<string | undefined> {
  const { parseMetadata } = await import("@mbs/artifacts");
  const { shards } = parseMetadata("scores", stream.schema);
  return shards && `these scores are of shard ${nameShards(shards)}; join all with mbs join-scores to see them summed up`;
}

async function similarities(stream: ArtifactStream) {
  const { collect, readSimilarities } = await import("@mbs/artifacts");
  return collect(readSimilarities(stream));
}

/** Bits or types of tensors; undefined for sparsities of blocks. */
async function allocatedTensors(stream: ArtifactStream) {
  const { collect, parseMetadata, readBitAllocation } = await import("@mbs/artifacts");
  const { bitsPerWeight } = parseMetadata("allocation", stream.schema);
  return bitsPerWeight === undefined ? undefined : { bitsPerWeight, tensors: await collect(readBitAllocation(stream)) };
}

/** What each kind of tensor got, or the sparsity of each block. Of tensors with their own sparsity a line by kind, and one by layer. */
export async function allocationTable(stream: ArtifactStream): Promise<string> {
  const [{ collect, readAllocation }, { allocatedStorage, countStorage, formatSparsities, formatStorage }] = await Promise.all([
    import("@mbs/artifacts"),
    import("@mbs/assembly"),
  ]);
  const found = await allocatedTensors(stream);
  if (found !== undefined) {
    const { bitsPerWeight, tensors } = found;
    return `${formatStorage(countStorage(allocatedStorage(tensors)))}${bitsPerWeight.toFixed(3)} bits a weight with scales\n`;
  }
  const blocks = await collect(readAllocation(stream));
  const tensors = blocks.flatMap(({ tensor, sparsity }) => (tensor === undefined ? [] : [{ tensor, sparsity }]));
  if (tensors.length > 0) return formatSparsities(tensors);
  const { formatTable, headings } = await import("@mbs/reporting");
  return formatTable({
    columns: headings(["block"], ["sparsity"]),
    rows: blocks.map(({ block, sparsity }) => [block, sparsity.toFixed(4)]),
  });
}

async function allocationJson(stream: ArtifactStream): Promise<unknown> {
  const [{ collect, readAllocation }, { allocatedStorage, countStorage }] = await Promise.all([
    import("@mbs/artifacts"),
    import("@mbs/assembly"),
  ]);
  const found = await allocatedTensors(stream);
  return found === undefined
    ? { blocks: await collect(readAllocation(stream)) }
    : { ...found, storage: countStorage(allocatedStorage(found.tensors)) };
}

async function predictedDamage(stream: ArtifactStream): Promise<DamageReport> {
  const [{ collect, parseMetadata, readDamage }, { damageReport }] = await Promise.all([
    import("@mbs/artifacts"),
    import("@mbs/reporting"),
  ]);
  return damageReport(await collect(readDamage(stream)), parseMetadata("damage", stream.schema));
}

/** The mixes of an artifact, summed up. */
export async function mixesReportOf(stream: ArtifactStream): Promise<MixesReport> {
  const [{ collect, parseMetadata, readMixes }, { mixesReport }] = await Promise.all([
    import("@mbs/artifacts"),
    import("@mbs/reporting"),
  ]);
  return mixesReport(await collect(readMixes(stream)), parseMetadata("mixes", stream.schema));
}

/** Which of the similarities is shown. */
export const similarityOptions = {
  at: {
    kind: "text",
    optional: true,
    placeholder: "BLOCK/SITE",
    description: "what to show: a site such as h.3/mlp-up, or mean for the mean over all; default the first block's input",
  },
  measure: {
    kind: "choice",
    choices: ["degrees", "cosine", "euclidean", "gram", "subspace"],
    default: "degrees",
    description: "what to show",
  },
} as const satisfies OptionTable;

/** How artifacts with results are shown; their modules are loaded on use. */
export const presenters: Readonly<Record<string, Presenter>> = {
  scores: {
    async table(stream) {
      const line = await shardLine(stream);
      if (line !== undefined) return `${line}\n`;
      const { scoresTable } = await import("@mbs/reporting");
      return scoresTable(await report(stream));
    },
    json: report,
  },
  similarity: {
    options: similarityOptions,
    async table(stream, options) {
      const { at, measure } = parseOptions(similarityOptions, options, "similarity");
      const { parseSite, similarityMatrix, similarityTable } = await import("@mbs/reporting");
      const site = at === undefined ? undefined : parseSite(at);
      return similarityTable(similarityMatrix(await similarities(stream), measure, site));
    },
    json: async (stream) => ({ similarities: await similarities(stream) }),
  },
  allocation: { table: allocationTable, json: allocationJson },
  damage: {
    async table(stream) {
      const { damageTable } = await import("@mbs/reporting");
      return damageTable(await predictedDamage(stream));
    },
    json: predictedDamage,
  },
  mixes: {
    async table(stream) {
      const { mixesTable } = await import("@mbs/reporting");
      return mixesTable(await mixesReportOf(stream));
    },
    json: mixesReportOf,
  },
};
