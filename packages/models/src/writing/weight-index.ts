import { indexFile, singleFile } from "../checkpoint/weight-files.ts";
import { jsonFile } from "./output-file.ts";
import type { OutputFile } from "./output-file.ts";

/** The tensors of a safetensors file. */
export interface PlacedTensors {
  readonly file: string;
  readonly tensors: readonly { readonly name: string; readonly bytes: number }[];
}

/** The index of safetensors files, which says where each tensor is; none for the only file of a model. */
export function weightIndex(files: readonly PlacedTensors[]): readonly OutputFile[] {
  if (files.length === 1 && files[0]?.file === singleFile) return [];
  const placed = files.flatMap(({ file, tensors }) => tensors.map(({ name }) => [name, file]));
  const total = files.flatMap(({ tensors }) => tensors).reduce((sum, { bytes }) => sum + bytes, 0);
  return [jsonFile(indexFile, { metadata: { total_size: total }, weight_map: Object.fromEntries(placed) })];
}
