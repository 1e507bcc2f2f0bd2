import { rowRanges } from "@mbs/artifacts";
import { at, BadDataError, InternalError } from "@mbs/contracts";
import { encodeValues, movedBlocks } from "@mbs/gguf";
import type { QuantisationType } from "@mbs/gguf";
import { transpose } from "@mbs/models";
import type { ArchitectureModel, PlannedGgufTensor } from "@mbs/models";
import { columnsInOrder } from "@mbs/numbers";
import type { ScratchLayers } from "../layers/scratch-layers.ts";
import { writtenPieces } from "../layers/written-pieces.ts";

/** Values that are encoded at a time. */
const valuesAtOnce = 1024 * 1024;

const floatsOf = (bytes: Uint8Array): Float32Array =>
  bytes.byteOffset % 4 === 0
    ? new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
    : new Float32Array(bytes.slice().buffer);

/** A tensor of the checkpoint, a layer's where one changes it, in memory. */
async function wholeTensor(model: ArchitectureModel, layers: ScratchLayers, tensor: string): Promise<Float32Array> {
  const info = model.checkpoint.info(tensor);
  const values = new Float32Array(info.shape.reduce((product, side) => product * side, 1));
  let done = 0;
  for await (const piece of writtenPieces(model, layers, info, "f32")) {
    const part = floatsOf(piece);
    values.set(part, done);
    done += part.length;
  }
  return values;
}

/** Rows of a matrix, or values of a vector, in another order, or some of them. @param count how many there are */
function inOrder<Values extends Float32Array | Uint8Array>(values: Values, rows: Int32Array, count: number): Values {
  const columns = values.length / count;
  const ordered = values.slice(0, rows.length * columns) as Values;
  for (const [row, source] of rows.entries()) {
    ordered.set(values.subarray(source * columns, (source + 1) * columns), row * columns);
  }
  return ordered;
}

/** The values of a source in the order of the file, in pieces of any length. */
async function* sourceValues(
  model: ArchitectureModel,
  layers: ScratchLayers,
  { rows, transposed }: PlannedGgufTensor,
  source: string,
): AsyncGenerator<Float32Array> {
  if (rows === undefined && transposed !== true) {
    for await (const piece of writtenPieces(model, layers, model.checkpoint.info(source), "f32")) yield floatsOf(piece);
    return;
  }
  const values = await wholeTensor(model, layers, source);
  const count = at(model.checkpoint.info(source).shape, 0);
  yield rows === undefined ? transpose(values, count) : inOrder(values, rows, count);
}

/** Pieces of any length as pieces of whole rows. */
async function* wholeRows(pieces: AsyncIterable<Float32Array>, columns: number): AsyncGenerator<Float32Array> {
  const kept = new Float32Array(Math.max(1, Math.floor(valuesAtOnce / columns)) * columns);
  let filled = 0;
  for await (const piece of pieces) {
    for (let done = 0; done < piece.length;) {
      const part = piece.subarray(done, done + kept.length - filled);
      kept.set(part, filled);
      done += part.length;
      filled += part.length;
      if (filled < kept.length) continue;
      yield kept;
      filled = 0;
    }
  }
  if (filled % columns !== 0) throw new InternalError(`GGUF: ${filled} values are no whole rows of ${columns}`);
  if (filled > 0) yield kept.subarray(0, filled);
}

/**
 * The blocks of a layer that holds its own ones of the file's type, in the file's order, some rows at a time.
 *
 * @throws {BadDataError} where they are of columns that the file has in several blocks
 */
function* ownBlocks(
  layers: ScratchLayers,
  source: string,
  { rows, columns }: PlannedGgufTensor,
  { values, bytes }: QuantisationType,
): Generator<Uint8Array> {
  const shape = layers.shapes.get(source);
  if (shape === undefined) throw new InternalError(`layer ${source} has blocks and no shape`, { tensor: source });
  const own = layers.readPart(source, "blockColumns")?.data;
  const wanted = columns && new Uint8Array(columns.buffer);
  const isStored = own === undefined ? columns === undefined : own.every((byte, index) => byte === wanted?.[index]);
  const moved = own === undefined && columns !== undefined ? movedBlocks(columns, values) : undefined;
  if (!isStored && moved === undefined) {
    throw new BadDataError(`layer ${source} has blocks of other columns than the file; compress again`, { tensor: source });
  }
  // rows in another order are picked from all of them
  const ranges = rows === undefined ? rowRanges(shape) : [[0, shape.rows] as const];
  for (const range of ranges) {
    const blocks = layers.readPart(source, "blocks", range);
    if (blocks === undefined) throw new InternalError(`layer ${source} has no blocks`, { tensor: source });
    const ordered = rows === undefined ? blocks.data : inOrder(blocks.data, rows, shape.rows);
    yield moved === undefined ? ordered : blocksInOrder(ordered, moved, bytes);
  }
}

/** Rows whose blocks are moved. @param moved place → block of a row @param bytes of a block */
function blocksInOrder(rows: Uint8Array, moved: Int32Array, bytes: number): Uint8Array {
  const written = new Uint8Array(rows.length);
  const width = moved.length * bytes;
  for (let start = 0; start < rows.length; start += width) {
    written.set(inOrder(rows.subarray(start, start + width), moved, moved.length), start);
  }
  return written;
}

/** Rows in a type's bytes. @throws {BadDataError} naming the tensor where half precision does not hold a value or a scale of it */
function encoded(type: QuantisationType, rows: Float32Array, tensor: string): Uint8Array {
  try {
    return encodeValues(type, rows);
  } catch (cause) {
    if (!(cause instanceof BadDataError)) throw cause;
    throw new BadDataError(`tensor ${tensor}: ${cause.message}`, { tensor, type: type.name }, { cause });
  }
}

/** The bytes of a tensor of a GGUF file, a few rows at a time. */
export async function* tensorBytes(
  model: ArchitectureModel,
  layers: ScratchLayers,
  tensor: PlannedGgufTensor,
  type: QuantisationType,
): AsyncGenerator<Uint8Array> {
  const { sources, values, store, shape } = tensor;
  if (values !== undefined) {
    yield encodeValues(type, values);
    return;
  }
  const columns = at(shape, shape.length - 1);
  for (const source of sources) {
    // those of another type are rounded again
    if (layers.summaries.get(source)?.grid === type.name) {
      yield* ownBlocks(layers, source, tensor, type);
      continue;
    }
    for await (const values of wholeRows(sourceValues(model, layers, tensor, source), columns)) {
      const rows = tensor.columns === undefined ? values.slice() : columnsInOrder(values, tensor.columns);
      if (store !== undefined) for (let index = 0; index < rows.length; index += 1) rows[index] = store(at(rows, index));
      yield encoded(type, rows, source);
    }
  }
}
