import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { bitsAWeight, formatBytes, sizeAgainst } from "@mbs/contracts";
import { readRecord } from "./assembly-record.ts";
import type { AssemblyRecord } from "./assembly-record.ts";
import { differingStorage, formatStorage, isQuantised, isRoundedAgain } from "./storage-counts.ts";
import type { StorageCounts, StoredTensor } from "./storage-counts.ts";

/** What is said of a folder that assemble wrote. */
export interface SizeReport {
  readonly format: string;
  readonly isEncoder: boolean;
  /** Weight files on disk, headers included. */
  readonly bytesOnDisk: number;
  /** Those of the model that was compressed, as it is stored; absent where an older record does not say it. */
  readonly sourceBytes?: number;
  /** sourceBytes / bytesOnDisk. */
  readonly ratio?: number;
  /** bytesOnDisk · 8 / the model's parameters. */
  readonly bitsAWeight: number;
  /** Bits of a compressed weight with its share of scales, zeros and indices; absent for the dense format, which packs none, and without compressed weights. */
  readonly bitsACompressedWeight?: number;
  /** Whether weights were set to zero and none has codes: every format stores the zeros too. */
  readonly prunedOnly: boolean;
  /** Embedding, head and the rest; absent for the dense format, and for an ONNX model that was compressed. */
  readonly parts?: readonly { readonly name: string; readonly bytes: number }[];
  /** Which bits or types the compressed tensors have; absent where all have the same. */
  readonly storage?: StorageCounts;
  /** What tensors were rounded to before they were rounded again to the types of the file: "3 bits"; absent where none was. */
  readonly roundedBefore?: string;
  /**
   * How many times fewer bytes a decoded token reads than with the source: an estimate of the speed, no measurement. Absent for an
   * encoder, which reads a whole text at once.
   */
  readonly estimatedSpeed?: number;
}

/** What is known of a folder by its weight files. */
export interface WeightFiles {
  /** On disk, headers included. */
  readonly bytes: number;
  /** Whether they are ONNX. */
  readonly graph: boolean;
}

const weightFile = /\.(safetensors|gguf|onnx|onnx_data(_\d+)?)$/;

export const isWeightFile = (path: string): boolean => weightFile.test(path);

/** @param paths of weight files */
export const areGraph = (paths: readonly string[]): boolean => paths.some((path) => path.endsWith(".onnx"));

export async function readWeightFiles(folder: string): Promise<WeightFiles> {
  const paths = (await readdir(folder, { recursive: true })).filter(isWeightFile);
  const sizes = await Promise.all(paths.map(async (path) => (await stat(join(folder, path))).size));
  return { bytes: sizes.reduce((sum, size) => sum + size, 0), graph: areGraph(paths) };
}

/** The bits or types that the compressed tensors have in the files. */
export const storedTensors = ({ tensors, types }: Pick<AssemblyRecord, "tensors" | "types">): StoredTensor[] =>
  Object.entries(tensors).map(([tensor, { bits, grid }]) => ({ tensor, bits, type: types?.[tensor] ?? grid }));

/** How the solver had rounded the tensors that the file has in other types, "3 and 4 bits"; undefined where it has none. */
export function roundedBefore({ tensors, types }: Pick<AssemblyRecord, "tensors" | "types">): string | undefined {
  const again = Object.entries(tensors).filter(([tensor, summary]) => isRoundedAgain(summary, types?.[tensor]));
  const bits = [...new Set(again.flatMap(([, summary]) => summary.bits ?? []))].sort((a, b) => a - b);
  return bits.length === 0 ? undefined : `${bits.join(" and ")} bits`;
}

/** @param folder one that assemble has written */
export async function sizeReport(folder: string): Promise<SizeReport> {
  const record = await readRecord(folder);
  const { format, sizes, sourceBytes, encoder: isEncoder = false } = record;
  const { bytes: bytesOnDisk } = await readWeightFiles(folder);
  const stored = storedTensors(record);
  const prunedOnly = stored.length > 0 && stored.every((tensor) => !isQuantised(tensor));
  const storage = differingStorage(stored);
  const before = roundedBefore(record);
  const { denseBytes, compressedParameters, compressedBytes, parameters, parts } = sizes;
  // of a source that is packed itself, a token reads less than the dtypes that it is read in say
  const packing = sourceBytes === undefined ? 1 : Math.min(1, sourceBytes / denseBytes);
  return {
    format,
    isEncoder,
    prunedOnly,
    bytesOnDisk,
    ...(sourceBytes !== undefined && { sourceBytes, ratio: sourceBytes / bytesOnDisk }),
    bitsAWeight: bitsAWeight({ bytes: bytesOnDisk, parameters }),
    ...(storage && { storage }),
    ...(before !== undefined && { roundedBefore: before }),
    ...(format !== "dense" && parts && { parts }),
    ...(format !== "dense" &&
      compressedParameters > 0 && { bitsACompressedWeight: (compressedBytes * 8) / compressedParameters }),
    ...(!isEncoder && { estimatedSpeed: (packing * sizes.denseBytesAToken) / sizes.bytesAToken }),
  };
}

const prunedAdvice =
  "pruned weights are stored as zeros in every format (gptq takes none without codes): only kernels for 2:4 (--pattern 2:4) and compressing file systems gain from them; for smaller files quantise as well, with --solver sparsegpt --bits 4";

/** "embedding 155 MB, blocks 45.0 MB", by part. */
export const partsText = (parts: NonNullable<SizeReport["parts"]>): string =>
  parts.map(({ name, bytes }) => `${name} ${formatBytes(bytes)}`).join(", ");

/** "376 MB from 253 MB, 1.49 times larger; 11.2 bits a weight": the size of a model beside that of what it was made of. */
export function changeText({
  bytesOnDisk,
  sourceBytes,
  bitsAWeight: bits,
}: Pick<SizeReport, "bytesOnDisk" | "sourceBytes" | "bitsAWeight">): string {
  const from = sourceBytes === undefined ? "" : ` from ${formatBytes(sourceBytes)}, ${sizeAgainst(bytesOnDisk, sourceBytes)}`;
  return `${formatBytes(bytesOnDisk)}${from}; ${bits.toFixed(2)} bits a weight`;
}

/** The size in one line, and by part where the weights are packed. */
function sizeText(report: SizeReport): string {
  const { format, parts } = report;
  const byPart = parts === undefined ? "" : `by part: ${partsText(parts)}\n`;
  return `${format}: ${changeText(report)}${format === "dense" ? "; no weight is packed" : ""}\n${byPart}`;
}

/** That weights were rounded twice, and first to what. */
export const roundedTwice = (before: string): string =>
  `weights were rounded twice, to ${before} and again to the types of the file: the error is that of both`;

const storageText = ({ storage, roundedBefore: before }: SizeReport): string =>
  `${before === undefined ? "" : `${roundedTwice(before)}\n`}${storage === undefined ? "" : formatStorage(storage)}`;

/** The size, and which bits or types tensors have where these differ. */
export const formatSize = (report: SizeReport): string => `${sizeText(report)}${storageText(report)}`;

/** The report as lines for a terminal. */
export function formatSizeReport(report: SizeReport): string {
  const { format, isEncoder, prunedOnly, bitsACompressedWeight, estimatedSpeed } = report;
  const size = sizeText(report);
  if (prunedOnly) return `${size}${prunedAdvice}\n`;
  if (format === "dense") {
    const packing = isEncoder ? "--format gguf or onnx packs" : "--format gptq, compressed-tensors, gguf or onnx pack";
    return `${size.trimEnd()}; ${packing} the weights\n${storageText(report)}`;
  }
  const compressed =
    bitsACompressedWeight === undefined ? "" : `${bitsACompressedWeight.toFixed(2)} bits a compressed weight with its scales\n`;
  const speed =
    estimatedSpeed === undefined
      ? ""
      : `decoding about ${estimatedSpeed.toFixed(1)} times as fast as the source: an estimate from the bytes that a token reads, not measured\n`;
  return `${size}${compressed}${speed}${storageText(report)}`;
}
