import { InternalError } from "@mbs/contracts";
import { quantisationTypeNamed, type QuantisationType } from "@mbs/gguf";
import { columnsInOrder, decodeWeights, invertOrder } from "@mbs/numbers";
import type { LayerRecord, TensorData } from "./kinds/records.ts";

/** What says which values a layer writes, of all of its rows or of some. */
export type LayerSource = Pick<LayerRecord, "tensor" | "summary" | "values" | "blocks" | "blockColumns">;

/** A matrix without its bytes. */
type MatrixForm = Omit<TensorData, "data">;

/** A layer as far as its shape goes. */
type LayerForm = Pick<LayerSource, "tensor" | "summary"> & { readonly values?: MatrixForm; readonly blocks?: MatrixForm };

/** Values that are made at a time, so that a large weight is not in memory as float32 beside its bytes. */
const valuesAtATime = 1 << 20;

/** All rows of a matrix, some at a time: the first of them, and the one behind the last. */
export function* rowRanges({ rows, columns }: Pick<TensorData, "rows" | "columns">): Generator<readonly [number, number]> {
  const count = Math.max(1, Math.floor(valuesAtATime / columns));
  for (let first = 0; first < rows; first += count) yield [first, Math.min(rows, first + count)];
}

/** The type of a layer's blocks. */
function typeOf({ tensor, summary: { grid } }: LayerForm): QuantisationType {
  if (grid === undefined) throw new InternalError(`layer ${tensor} has neither values nor a grid`, { tensor });
  return quantisationTypeNamed(grid);
}

/** The dtype and shape of what a layer writes; what blocks decode to is f32. */
export function layerShape(layer: LayerForm): MatrixForm {
  const { tensor, values, blocks } = layer;
  if (values !== undefined) return { dtype: values.dtype, rows: values.rows, columns: values.columns };
  if (blocks === undefined) throw new InternalError(`layer ${tensor} has neither values nor blocks`, { tensor });
  const type = typeOf(layer);
  return { dtype: "f32", rows: blocks.rows, columns: (blocks.columns / type.bytes) * type.values };
}

/**
 * What a layer writes, [rows, columns] as float32: its values, or what its blocks decode to, exactly as ggml does it.
 *
 * @throws {BadDataError} on values of a dtype that holds no weights
 */
export function layerValues(layer: LayerSource): Float32Array {
  const { tensor, values, blocks, blockColumns } = layer;
  if (values !== undefined) return decodeWeights(values.dtype, values.data, `layer ${tensor}`);
  const { rows, columns } = layerShape(layer);
  const { decode } = typeOf(layer);
  if (blocks === undefined || decode === undefined) {
    throw new InternalError(`layer ${tensor} has no blocks that are decoded`, { tensor });
  }
  const decoded = new Float32Array(rows * columns);
  decode(blocks.data, decoded);
  if (blockColumns === undefined) return decoded;
  // copied, since bytes from a stream may lie at any offset
  return columnsInOrder(decoded, invertOrder(new Int32Array(blockColumns.data.slice().buffer)));
}
