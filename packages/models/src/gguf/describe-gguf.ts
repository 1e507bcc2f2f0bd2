import type { GgufMetadata } from "@mbs/gguf";
import { elements } from "./dense-tensor.ts";
import { openShards } from "./open-shards.ts";

/** A tensor as it is stored in a GGUF file. */
export interface GgufStoredTensor {
  readonly name: string;
  /** As ggml calls it: "Q4_K". */
  readonly type: string;
  /** Rows before columns. */
  readonly shape: readonly number[];
  /** How many values it has. */
  readonly values: number;
  readonly bytes: number;
  /** Path of the file that holds it. */
  readonly file: string;
}

/** What a GGUF file holds, be it a model that can be opened or not. */
export interface GgufDescription {
  readonly version: number;
  /** Of the first file. */
  readonly metadata: GgufMetadata;
  /** All files of the model, in their order. */
  readonly files: readonly { readonly path: string; readonly bytes: number; readonly tensors: number }[];
  readonly tensors: readonly GgufStoredTensor[];
}

/**
 * Describes a GGUF file, and those that belong to it, by their headers alone.
 *
 * @throws {BadDataError} where one is missing, broken, or contradicts itself or another one
 */
export async function describeGguf(path: string): Promise<GgufDescription> {
  const files = await openShards(path);
  for (const file of files) file.close();
  const [{ version, metadata }] = files;
  return {
    version,
    metadata,
    files: files.map(({ path, size, tensors }) => ({ path, bytes: size, tensors: tensors.length })),
    tensors: files.flatMap((file) =>
      file.tensors.map(({ name, type, shape, begin, end }) => ({
        name,
        type: type.name,
        shape,
        values: elements(shape),
        bytes: end - begin,
        file: file.path,
      })),
    ),
  };
}
