import { compressedWeights, predictGgufBytes, predictGgufBytesBesideBlocks, predictPackedBytes } from "@mbs/compression";
import { FailedPreconditionError, formatBytes, UsageError } from "@mbs/contracts";
import type { StageOptions } from "@mbs/contracts";
import { fittingType, roundsNothing, typeMixes } from "@mbs/gguf";
import type { Model } from "@mbs/models";
import {
  correctionOf,
  embeddingsTypes,
  groupSizeOf,
  lossOfBlocks,
  lossOfEmbeddings,
  onnxEmbeddingsOf,
  shrinkBits,
  typeMixOf,
} from "./defaults.ts";
import type { ShrinkBits, ShrinkFormat } from "./defaults.ts";

/** How small the model is to be: one of three ways to say it. */
export interface Target {
  /** Share of the rows of embedding and head that are left out. */
  readonly leftOut: number;
  readonly bytes?: number | undefined;
  readonly bits?: ShrinkBits | undefined;
  readonly typeMix?: string | undefined;
}

/** The keys of a recipe that decide what weights are stored as. */
interface Storage {
  readonly compress: StageOptions;
  readonly assemble: StageOptions;
  readonly allocate?: StageOptions;
}

/** What a target comes to in a format. */
export interface PlannedTarget {
  readonly ours: Storage;
  /** What rounding to nearest takes, as the usual tools do. */
  readonly usual: Omit<Storage, "allocate"> & { readonly name: string };
  /** "Q3_K_M", for the plan. */
  readonly stored: string;
  /** Bytes of the weight files, predicted; undefined where nothing is packed. */
  readonly bytes: number | undefined;
  /** Bytes of embedding and head that are left out, and not among them. */
  readonly savedBytes: number;
}

const rtn = { solver: "rtn" };

const bitsOfType = (type: string, columns: number): number => {
  const { bytes, values } = fittingType(type, columns);
  return (bytes * 8) / values;
};

/** The type mixes that round, from the smallest file on. */
async function mixesBySize(model: Model, leftOut: number): Promise<readonly { readonly name: string; readonly bytes: number }[]> {
  const names = [...typeMixes.keys()].filter((name) => !roundsNothing(name));
  const sized = await Promise.all(
    names.map(async (name) => {
      const { bytes, embeddings } = await predictGgufBytes(model, name);
      return { name, bytes: bytes - leftOut * embeddings };
    }),
  );
  return sized.sort((a, b) => a.bytes - b.bytes);
}

/** The usual file of a size: of the largest type mix that is no larger, or of the smallest where all are. */
async function usualOfSize(model: Model, bytes: number, leftOut: number): Promise<PlannedTarget["usual"]> {
  const mixes = await mixesBySize(model, leftOut);
  const fitting = mixes.filter((mix) => mix.bytes <= bytes);
  return usualMix((fitting.at(-1) ?? mixes[0])?.name ?? typeMixOf[2]);
}

const usualMix = (name: string): PlannedTarget["usual"] => ({
  name,
  compress: { ...rtn, embeddings: "on" },
  assemble: { format: "gguf", type: name },
});

/**
 * A type for embedding and head, and so what is left for blocks, under a size: the pair whose losses by `defaults` are least.
 *
 * @throws {UsageError} where even the smallest types take more
 */
async function divideSize(
  model: Model,
  bytes: number,
  leftOut: number,
): Promise<{ readonly type: string; readonly bits: number; readonly savedBytes: number }> {
  const columns = model.hiddenSize;
  const weights = compressedWeights(model);
  const ofBlocks = Math.min(...embeddingsTypes.map((type) => bitsOfType(type, columns)));
  const divided = await Promise.all(
    embeddingsTypes.map(async (type) => {
      const { embeddings } = await predictGgufBytes(model, typeMixOf[4], type);
      const savedBytes = leftOut * embeddings;
      const beside = (await predictGgufBytesBesideBlocks(model, typeMixOf[4], type)) - savedBytes;
      const bits = ((bytes - beside) * 8) / weights;
      // more than eight bits gain nothing
      const loss = lossOfEmbeddings(bitsOfType(type, columns)) + lossOfBlocks(Math.min(bits, 8.5));
      return { type, bits, savedBytes, loss, least: beside + (ofBlocks * weights) / 8 };
    }),
  );
  const [best] = divided.filter(({ bits }) => bits >= ofBlocks).sort((a, b) => a.loss - b.loss);
  if (best !== undefined) return best;
  const least = Math.min(...divided.map((each) => each.least));
  throw new UsageError(
    `--size is smaller than this model can be: with the smallest types everywhere it takes about ${formatBytes(least)}; give a larger size, or leave out the tokens of other languages with --only-languages`,
    { option: "--size" },
  );
}

async function planGgufSize(model: Model, bytes: number, leftOut: number): Promise<PlannedTarget> {
  const { type, bits, savedBytes } = await divideSize(model, bytes, leftOut);
  const embeddings = fittingType(type, model.hiddenSize).name;
  return {
    ours: {
      compress: { solver: "gptq", embeddings: type },
      assemble: { format: "gguf", type: typeMixOf[4] },
      allocate: { method: "damage", size: `${Math.floor(bytes / 1000)}kB` },
    },
    usual: await usualOfSize(model, bytes, leftOut),
    stored: `a type for each tensor, ${bits.toFixed(1)} bits a weight; embedding and head ${embeddings}`,
    bytes,
    savedBytes,
  };
}

async function planGgufMix(model: Model, typeMix: string, bits: ShrinkBits | undefined, leftOut: number): Promise<PlannedTarget> {
  const predicted = await predictGgufBytes(model, typeMix);
  const savedBytes = leftOut * predicted.embeddings;
  const bytes = predicted.bytes - savedBytes;
  const qep = bits === undefined ? undefined : correctionOf[bits];
  return {
    ours: {
      compress: { solver: "gptq", embeddings: "on", ...(qep !== undefined && { qep }) },
      assemble: { format: "gguf", type: typeMix },
    },
    usual: usualMix(typeMix),
    stored: typeMix,
    bytes,
    savedBytes,
  };
}

/** Codes of so many bits, in a format that packs them. */
function planPacked(model: Model, format: ShrinkFormat, bits: ShrinkBits, leftOut: number): PlannedTarget {
  const groupSize = groupSizeOf[bits];
  const ofEmbeddings = format === "onnx" && model.embeddings !== undefined ? onnxEmbeddingsOf[bits] : undefined;
  const embeddings = ofEmbeddings === undefined ? {} : { embeddings: String(ofEmbeddings) };
  const qep = correctionOf[bits];
  const assemble = { format };
  const shared = { bits, groupSize, ...embeddings };
  const predicted = predictPackedBytes(model, groupSize, bits, ofEmbeddings);
  const savedBytes = leftOut * predicted.embeddings;
  const bytes = format === "dense" ? undefined : predicted.bytes - savedBytes;
  return {
    ours: { compress: { solver: "gptq", ...shared, ...(qep !== undefined && { qep }) }, assemble },
    usual: { name: `${bits} bits`, compress: { ...rtn, ...shared }, assemble },
    stored: `${bits} bits in groups of ${groupSize}${ofEmbeddings === undefined ? "" : `; embedding and head ${ofEmbeddings} bits`}`,
    bytes,
    savedBytes,
  };
}

/** The most bits whose file is no larger. @throws {UsageError} where even the fewest take more */
function planPackedSize(model: Model, format: ShrinkFormat, size: number, leftOut: number): PlannedTarget {
  if (format === "dense") throw new UsageError("--size needs a format that packs weights; take --to gguf", { option: "--size" });
  const all = shrinkBits.map((bits) => planPacked(model, format, bits, leftOut));
  const fitting = all.find(({ bytes = Infinity }) => bytes <= size);
  if (fitting !== undefined) return fitting;
  const least = Math.min(...all.map(({ bytes = Infinity }) => bytes));
  throw new UsageError(
    `--size is smaller than ${format} makes this model: ${shrinkBits.at(-1) ?? 2} bits take about ${formatBytes(least)}; give a larger size, or take --to gguf, which packs the embedding too`,
    { option: "--size" },
  );
}

/**
 * What a target comes to.
 *
 * @throws {UsageError} where the format cannot be so small, or does not have what was asked for
 * @throws {FailedPreconditionError} where the format does not hold the model
 */
export async function planTarget(
  model: Model,
  format: ShrinkFormat,
  { bytes, bits, typeMix, leftOut }: Target,
): Promise<PlannedTarget> {
  if (model.kind === "graph" && format !== "onnx") {
    throw new FailedPreconditionError(`${model.path} is an ONNX model, which stays one; take --to onnx`, { model: model.path });
  }
  if (format === "gguf") {
    if (bytes !== undefined) return planGgufSize(model, bytes, leftOut);
    return planGgufMix(model, typeMix ?? typeMixOf[bits ?? 4], typeMix === undefined ? (bits ?? 4) : undefined, leftOut);
  }
  if (typeMix !== undefined) {
    throw new UsageError(`--type is a type of GGUF, and ${format} has none; take --bits, or --to gguf`, { option: "--type" });
  }
  return bytes === undefined ? planPacked(model, format, bits ?? 4, leftOut) : planPackedSize(model, format, bytes, leftOut);
}
