import { converted, weightIndex, writeSafetensors } from "@mbs/models";
import type { Model, OutputFile, PlacedTensors, TensorInfo, WeightDtype } from "@mbs/models";
import type { FormattedModel } from "../format.ts";
import type { ScratchLayers } from "../layers/scratch-layers.ts";
import { embeddingsWeights } from "../layers/site-weights.ts";
import { writtenPieces } from "../layers/written-pieces.ts";

/** A tensor that replaces a changed one, alone or together with others. */
export interface NewTensor {
  readonly name: string;
  /** As in a safetensors header. */
  readonly storedDtype: "U8" | "F8_E4M3" | "I32" | "I64" | "F16" | "BF16" | "F32";
  readonly shape: readonly number[];
  /** Its values, when their turn comes. */
  read(): ArrayBufferView;
}

const bytesOf: Readonly<Record<NewTensor["storedDtype"], number>> = {
  U8: 1,
  F8_E4M3: 1,
  I32: 4,
  I64: 8,
  F16: 2,
  BF16: 2,
  F32: 4,
};

/** Length of a tensor in the file. */
const tensorBytes = ({ storedDtype, shape }: NewTensor): number =>
  shape.reduce((product, side) => product * side, bytesOf[storedDtype]);

const infoOf = (tensor: NewTensor, file: string): TensorInfo => ({
  name: tensor.name,
  storedDtype: tensor.storedDtype,
  dtype: undefined,
  shape: tensor.shape,
  bytes: tensorBytes(tensor),
  file,
});

/**
 * The source's safetensors files with some tensors replaced by others, in the same files, and their index; with the bytes of
 * all tensors, and of the others.
 *
 * @param layers the norms that were scaled along with weights
 * @param replacements by the name of the tensor that they replace
 * @param dtype of the tensors that are not replaced; undefined where each keeps its own
 * @param nameOf what the other tensors are called in the new files; default as in the source
 */
export function replacedWeights(
  model: Model,
  layers: ScratchLayers,
  replacements: ReadonlyMap<string, readonly NewTensor[]>,
  dtype: WeightDtype | undefined,
  nameOf: (tensor: string) => string = (tensor) => tensor,
): FormattedModel {
  const placed: PlacedTensors[] = [];
  const files = model.checkpoint.files.map(({ file, tensors, metadata }): OutputFile => {
    const written = new Map<TensorInfo, NewTensor | TensorInfo>();
    for (const tensor of tensors) {
      const others = replacements.get(tensor.name);
      if (others === undefined) written.set({ ...converted(tensor, dtype), name: nameOf(tensor.name) }, tensor);
      else for (const other of others) written.set(infoOf(other, file), other);
    }
    placed.push({ file, tensors: [...written.keys()] });
    return {
      path: file,
      content: () =>
        writeSafetensors([...written.keys()], { ...metadata, format: "pt" }, (tensor) => {
          const other = written.get(tensor) ?? tensor;
          if (!("read" in other)) return writtenPieces(model, layers, other, dtype);
          const { buffer, byteOffset, byteLength } = other.read();
          return [new Uint8Array(buffer, byteOffset, byteLength)];
        }),
    };
  });
  const tables = embeddingsWeights(model).flatMap(({ tensor }): [string, number][] => {
    const others = replacements.get(tensor);
    const bytes = others?.reduce((sum, other) => sum + tensorBytes(other), 0);
    return [[tensor, bytes ?? converted(model.checkpoint.info(tensor), dtype).bytes]];
  });
  return {
    tables: new Map(tables),
    files: [...files, ...weightIndex(placed)],
    compressedBytes: [...replacements.values()].flat().reduce((sum, tensor) => sum + tensorBytes(tensor), 0),
    bytes: placed.flatMap(({ tensors }) => tensors).reduce((sum, { bytes }) => sum + bytes, 0),
  };
}
