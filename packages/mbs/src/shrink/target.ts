import { assemble } from "@mbs/assembly";
import { predictGgufBytes, predictGgufParts } from "@mbs/compression";
import { FailedPreconditionError, formatBytes, sizeFrom, UsageError } from "@mbs/contracts";
import type { GroupGrid, PlannedCodes, StageOptions } from "@mbs/contracts";
import { allocatedTypes, quantisationTypeNamed, roundsNothing, typeMixes, typeMixNamed } from "@mbs/gguf";
import type { TypeMix } from "@mbs/gguf";
import type { Model } from "@mbs/models";
import { gridDefaults, groupGrid } from "@mbs/solvers";
import { groupSizeOf, onnxEmbeddingsOf, shrinkBits, typeMixOf } from "./defaults.ts";
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
  /** Bytes of embedding and head, where they are a large part of the file. */
  readonly tables?: number | undefined;
  /** Which matrices get other types than those asked for, because of their rows, in one line. */
  readonly fallbacks?: string | undefined;
  /** Options that make it smaller, in words; undefined where a size was asked for. */
  readonly smaller?: string;
}

const rtn = { solver: "rtn" };

/** Type mixes, from the smallest file on. */
async function mixesBySize(
  model: Model,
  leftOut: number,
  isTaken: (mix: TypeMix) => boolean,
): Promise<readonly { readonly name: string; readonly bytes: number }[]> {
  const names = [...typeMixes.values()].filter((mix) => !roundsNothing(mix.name) && isTaken(mix)).map(({ name }) => name);
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
  // llama-quantize makes many of the others with a matrix alone
  const mixes = await mixesBySize(model, leftOut, ({ name }) => !name.startsWith("IQ"));
  const fitting = mixes.filter((mix) => mix.bytes <= bytes);
  return usualMix((fitting.at(-1) ?? mixes[0])?.name ?? typeMixOf[2]);
}

const usualMix = (name: string): PlannedTarget["usual"] => ({
  name,
  compress: { ...rtn, embeddings: "on" },
  assemble: { format: "gguf", type: name },
});

/** Bytes of the smallest file that an allocation can make, and what its parts take in 4-bit types. */
async function smallestParts(model: Model, leftOut: number) {
  const { beside, least, weights } = await predictGgufParts(model, typeMixOf[4], allocatedTypes);
  const kept = weights.blocks + (1 - leftOut) * weights.embeddings;
  return { beside, weights, kept, smallest: beside + (least * kept) / Math.max(1, weights.blocks + weights.embeddings) };
}

/**
 * A type for each tensor, embedding and head among them, by what each of them costs.
 *
 * @throws {UsageError} where even the smallest types take more
 */
async function planGgufSize(model: Model, bytes: number, leftOut: number): Promise<PlannedTarget> {
  const { beside, weights, kept, smallest } = await smallestParts(model, leftOut);
  if (smallest > bytes) {
    const [tiny] = await mixesBySize(model, leftOut, ({ name }) => name === "IQ2_XXS");
    const other =
      tiny !== undefined && tiny.bytes < smallest ? `, or take --type ${tiny.name}, which is smaller and loses more` : "";
    throw new UsageError(
      `--size is smaller than types from Q2_K on make this model; give --size ${sizeFrom(smallest)} or more, leave out the tokens of other languages with --only-languages${other}`,
      { option: "--size" },
    );
  }
  const bits = ((bytes - beside) * 8) / kept;
  return {
    ours: {
      compress: { solver: "gptq", ...(model.embeddings && { embeddings: "on" }) },
      assemble: { format: "gguf", type: typeMixOf[4] },
      allocate: { method: "damage", size: `${Math.floor(bytes) / 1000}kB` },
    },
    usual: await usualOfSize(model, bytes, leftOut),
    stored: `types by what each costs, for embedding and head too; ${bits.toFixed(1)} bits a weight`,
    bytes,
    savedBytes: (leftOut * weights.embeddings * bits) / 8,
  };
}

/** Share of a file from which on its embedding and head decide its size. */
const largeShare = 0.4;

/** Columns of blocks that the rows of nearly all models are whole blocks of. */
const smallBlock = 32;

/**
 * Options that make a smaller file than a type mix does.
 *
 * @param bytes that the type mix makes
 * @param hasFallbacks whether rows are no whole blocks of its types: types of small blocks have more bits by name, and may take less
 */
async function smallerGguf(model: Model, bytes: number, leftOut: number, hasFallbacks: boolean): Promise<string> {
  const { smallest } = await smallestParts(model, leftOut);
  const sized = hasFallbacks
    ? await mixesBySize(model, leftOut, ({ base }) => quantisationTypeNamed(base).values === smallBlock)
    : [];
  const types = sized
    .filter((mix) => mix.bytes < bytes)
    .map(({ name, bytes: own }) => `--type ${name} (${formatBytes(Math.round(own))})`);
  const choosing = `--size (${sizeFrom(smallest)} or more), which chooses a type for each tensor, embedding and head too`;
  return [choosing, ...types.slice(0, 2)].join("; ");
}

async function planGgufMix(model: Model, typeMix: string, leftOut: number): Promise<PlannedTarget> {
  const predicted = await predictGgufBytes(model, typeMix);
  const savedBytes = leftOut * predicted.embeddings;
  const bytes = predicted.bytes - savedBytes;
  const inTables = predicted.embeddings - savedBytes;
  const assembled = { format: "gguf", type: typeMix };
  const codes = { kind: "blocks", type: typeMixNamed(typeMix).base } as const;
  const fallbacks = (await assemble.plannedSize?.({ model: model.path, ...assembled }, { solver: "gptq", codes }))?.fallbacks;
  return {
    ours: { compress: { solver: "gptq", embeddings: "on" }, assemble: assembled },
    usual: usualMix(typeMix),
    stored: typeMix,
    bytes,
    savedBytes,
    tables: inTables > largeShare * bytes ? inTables : undefined,
    fallbacks,
    smaller: await smallerGguf(model, bytes, leftOut, fallbacks !== undefined),
  };
}

/** Bits that a weight of embedding and head takes in ONNX: a scale in float32 and a zero point for each group. */
const onnxTableBits = (bits: number, groupSize: number): number => bits + (32 + bits) / groupSize;

/** Zero points that a recipe with a format gets, which follow from the format. */
async function gridOf(format: ShrinkFormat, bits: number, groupSize: number): Promise<GroupGrid> {
  const held = (await assemble.holds?.({ format })) ?? [];
  const zeroPoints = held.find((own) => own.kind === "groups")?.zeroPoints ?? "any";
  return groupGrid(bits, { groupSize, ...gridDefaults({ grids: ["groups"] }, { bits }, { zeroPoints }) });
}

/** Codes of so many bits, in a format that packs them. @throws {FailedPreconditionError} where the format does not hold them of the model */
async function planPacked(model: Model, format: ShrinkFormat, bits: ShrinkBits, leftOut: number): Promise<PlannedTarget> {
  const groupSize = groupSizeOf[bits];
  const ofEmbeddings = format === "onnx" && model.embeddings !== undefined ? onnxEmbeddingsOf[bits] : undefined;
  const embeddings = ofEmbeddings === undefined ? {} : { embeddings: String(ofEmbeddings) };
  const assembled = { format };
  const shared = { bits, groupSize, ...embeddings };
  const codesOf = async (own: number): Promise<PlannedCodes> => {
    return { grid: await gridOf(format, own, groupSize), scattered: false };
  };
  const layers = {
    solver: "gptq",
    codes: await codesOf(bits),
    ...(ofEmbeddings !== undefined && { embeddings: await codesOf(ofEmbeddings) }),
  };
  await assemble.checkPlan?.({ model: model.path, ...assembled }, layers);
  const planned = await assemble.plannedSize?.({ model: model.path, ...assembled }, layers);
  const tables = new Map(
    model.embeddings?.sites.flatMap(({ width, weights }) => weights.map((own) => [own.tensor, own.rows * width])),
  );
  const tableBits = ofEmbeddings === undefined ? 16 : onnxTableBits(ofEmbeddings, groupSize);
  const savedBytes = (leftOut * [...tables.values()].reduce((sum, count) => sum + count, 0) * tableBits) / 8;
  const bytes = format === "dense" || planned === undefined ? undefined : planned.bytes - savedBytes;
  return {
    ours: { compress: { solver: "gptq", ...shared }, assemble: assembled },
    usual: { name: `${bits} bits`, compress: { ...rtn, ...shared }, assemble: assembled },
    stored: `${bits} bits in groups of ${groupSize}${ofEmbeddings === undefined ? "" : `; embedding and head ${ofEmbeddings} bits`}`,
    bytes,
    savedBytes,
    smaller: [
      ...(bits > 2 ? ["fewer --bits"] : []),
      ...(format === "onnx" ? [] : ["--to gguf, which packs embedding and head too"]),
    ].join("; "),
  };
}

/** The most bits whose file is no larger. @throws {UsageError} where even the fewest take more */
async function planPackedSize(model: Model, format: ShrinkFormat, size: number, leftOut: number): Promise<PlannedTarget> {
  if (format === "dense") throw new UsageError("--size needs a format that packs weights; take --to gguf", { option: "--size" });
  const all = await Promise.all(shrinkBits.map((bits) => planPacked(model, format, bits, leftOut)));
  const fitting = all.find(({ bytes = Infinity }) => bytes <= size);
  if (fitting !== undefined) return fitting;
  const least = Math.min(...all.map(({ bytes = Infinity }) => bytes));
  throw new UsageError(
    `--size is smaller than ${format} makes this model with ${shrinkBits.at(-1) ?? 2} bits; give --size ${sizeFrom(least)} or more, or take --to gguf, which packs the embedding too`,
    { option: "--size" },
  );
}

/** What `mbs shrink` can make of a model. */
export interface ShrinkSizes {
  /** Bytes of the weight files by `--bits`, the most first. */
  readonly bits: readonly { readonly bits: ShrinkBits; readonly stored: string; readonly bytes: number }[];
  /** Bytes of the smallest file that `--size` can ask for. */
  readonly smallest: number;
}

/**
 * Sizes of all that `mbs shrink` makes of a model where no format is named, without leaving out tokens.
 *
 * @throws {FailedPreconditionError} where the format does not hold the model
 */
export async function shrinkSizes(model: Model): Promise<ShrinkSizes> {
  const isGraph = model.kind === "graph";
  const sizes = await Promise.all(
    shrinkBits.map(async (bits) => {
      if (!isGraph) return { bits, stored: typeMixOf[bits], bytes: (await predictGgufBytes(model, typeMixOf[bits])).bytes };
      const { stored, bytes = Infinity } = await planPacked(model, "onnx", bits, 0);
      return { bits, stored, bytes };
    }),
  );
  const least = isGraph ? sizes.map(({ bytes }) => bytes) : [(await smallestParts(model, 0)).smallest];
  return { bits: sizes, smallest: Math.min(...least) };
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
    return planGgufMix(model, typeMix ?? typeMixOf[bits ?? 4], leftOut);
  }
  if (typeMix !== undefined) {
    throw new UsageError(`--type is a type of GGUF, and ${format} has none; take --bits, or --to gguf`, { option: "--type" });
  }
  return bytes === undefined ? planPacked(model, format, bits ?? 4, leftOut) : planPackedSize(model, format, bytes, leftOut);
}
