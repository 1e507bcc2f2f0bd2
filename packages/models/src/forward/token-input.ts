import { at, InternalError } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";
import { floatTensor, floatValues } from "@mbs/onnx";
import type { Tensor } from "@mbs/onnx";
import type { Layout } from "../architectures/layout.ts";
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { createRowGraph, tokenInputName } from "../graph/sequence-graph.ts";
import type { WeightInput } from "../graph/sequence-graph.ts";
import type { WeightCache } from "./block-weights.ts";
import { distinctTokens } from "./distinct-tokens.ts";
import type { GraphCache } from "./graph-cache.ts";

/** The weight of the graph that has other rows for each block. */
const projectionRole = "projection.weight";

/** Rows of the table in memory at a time: they have the columns of all blocks, 36 kB each in Gemma 4 E2B. */
const rowsAtATime = 256;

/** Columns first … first + width - 1 of some rows of a table, [rows, width]. */
async function readColumns(
  checkpoint: Checkpoint,
  table: string,
  rows: readonly number[],
  { first, width }: { readonly first: number; readonly width: number },
): Promise<Float32Array> {
  const found = new Float32Array(rows.length * width);
  for (let begin = 0; begin < rows.length; begin += rowsAtATime) {
    const part = rows.slice(begin, begin + rowsAtATime);
    const values = await checkpoint.readRowsF32(table, part);
    const stride = values.length / part.length;
    for (const row of part.keys()) {
      const start = row * stride + first;
      found.set(values.subarray(start, start + width), (begin + row) * width);
    }
  }
  return found;
}

/** Of block `index` and states [rows, stateWidth] the further feeds of its graph: none for a layout without `tokenInput`. */
export type TokenInputReader = (index: number, states: Matrix) => Promise<Readonly<Record<string, Tensor>>>;

/** Computes what blocks read of each token beside the states. */
export function createTokenInput(
  { tokenInput, hiddenSize, stateWidth = hiddenSize, embedding }: Layout,
  checkpoint: Checkpoint,
  { graphs, cache }: { readonly graphs: GraphCache; readonly cache: WeightCache },
): TokenInputReader {
  if (tokenInput === undefined) return async () => ({});
  const { column, width, table, projection, roles } = tokenInput;
  return async (index, { rows, values }) => {
    if (values.length !== rows * stateWidth)
      throw new InternalError(`block ${index} is given ${values.length} values in ${rows} rows`);
    const tokens = Int32Array.from({ length: rows }, (_, row) => at(values, row * stateWidth + column));
    const { values: ids, indices } = distinctTokens(tokens);
    const graph = await graphs.get(tokenInputName, (builder, weight) => {
      // read again for each block, so it is no constant as weights are
      const ofBlock: WeightInput = (role, dims) =>
        role === projectionRole ? builder.input(role, "float32", dims) : weight(role, dims);
      const made = tokenInput.build(
        createRowGraph(builder, ofBlock),
        builder.input("embedded", "float32", ["T", hiddenSize]),
        builder.input("own", "float32", ["T", width]),
      );
      builder.output("made", made, "float32");
    });
    const own = await readColumns(checkpoint, table, ids, { first: index * width, width });
    const rowsOfBlock = Int32Array.from({ length: width }, (_, row) => index * width + row);
    const feeds = {
      [projectionRole]: floatTensor(await checkpoint.readRowsF32(projection, rowsOfBlock), [width, hiddenSize]),
      embedded: floatTensor(await checkpoint.readRowsF32(embedding, ids), [ids.length, hiddenSize]),
      own: floatTensor(own, [ids.length, width]),
    };
    const made = floatValues(await graph.run(feeds, await cache.read(tokenInputName, roles)), "made");
    const byRow = new Float32Array(rows * width);
    for (const [row, place] of indices.entries()) byRow.set(made.subarray(place * width, (place + 1) * width), row * width);
    return { [tokenInputName]: floatTensor(byRow, [rows, width]) };
  };
}
