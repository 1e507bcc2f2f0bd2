import type { Matrix } from "@mbs/contracts";
import { floatTensor, floatValues, GraphBuilder, integerTensor, matrixTensor, takeSessions } from "@mbs/onnx";
import type { BlasOptions, Sessions } from "@mbs/onnx";

/** 1 / √(mean square) of each row, 0 for a row of zeros or next to it. */
function inverseSizesGraph(): Uint8Array {
  const graph = new GraphBuilder("inverse sizes");
  const rows = graph.input("rows", "float32", ["T", "W"]);
  const lastAxis = graph.constant(integerTensor([1], [1]));
  // by its largest value first: squares of very large or small ones would leave float32
  const largest = graph.node("ReduceMax", [graph.node("Abs", [rows]), lastAxis], { attributes: { keepdims: 1 } });
  const parts = graph.node("Div", [rows, largest]);
  const squares = graph.node("ReduceMean", [graph.node("Mul", [parts, parts]), lastAxis], { attributes: { keepdims: 1 } });
  const inverse = graph.node("Reciprocal", [graph.node("Mul", [largest, graph.node("Sqrt", [squares])])]);
  // one over less would leave float32
  const [zero, least] = [0, 1e-37].map((value) => graph.constant(floatTensor(Float32Array.of(value), []))) as [string, string];
  graph.output("inverse sizes", graph.node("Where", [graph.node("Less", [largest, least]), zero, inverse]), "float32", ["T", 1]);
  return graph.build();
}

/** Rows, or the difference of two matrices' rows, times a number each. */
function scaleGraph(others: boolean): Uint8Array {
  const graph = new GraphBuilder("scale");
  const rows = graph.input("rows", "float32", ["T", "W"]);
  const from = others ? graph.node("Sub", [rows, graph.input("others", "float32", ["T", "W"])]) : rows;
  graph.output("scaled", graph.node("Mul", [from, graph.input("factors", "float32", ["T", 1])]), "float32", ["T", "W"]);
  return graph.build();
}

/**
 * Scales tokens, a row each. By {@link TokenRows.inverseSizes} of their own, each counts alike in a Gram, however large its
 * activations are: the first token of a text can have a thousand times those of others.
 */
export class TokenRows {
  readonly #sessions: Sessions;
  readonly #buffers = new Map<string, Float32Array>();

  constructor({ threads, pool }: BlasOptions) {
    this.#sessions = takeSessions("token rows", threads, pool);
  }

  /** For each row one over its root mean square, 0 for a row of zeros or next to it (1e-37). */
  async inverseSizes(states: Matrix): Promise<Float32Array> {
    const session = await this.#sessions.get("inverse sizes", inverseSizesGraph);
    return floatValues(await session.run({ rows: matrixTensor(states) }), "inverse sizes");
  }

  /** Rows times a number each. @returns in memory that the next call uses again */
  scale(rows: Matrix, factors: Float32Array): Promise<Matrix> {
    return this.#run("scaled", rows, factors);
  }

  /** The difference of rows, times a number each. @returns in memory that the next call uses again */
  difference(rows: Matrix, others: Matrix, factors: Float32Array): Promise<Matrix> {
    return this.#run("difference", rows, factors, others);
  }

  async #run(name: string, rows: Matrix, factors: Float32Array, others?: Matrix): Promise<Matrix> {
    const session = await this.#sessions.get(name, () => scaleGraph(others !== undefined));
    const { length } = rows.values;
    let buffer = this.#buffers.get(name);
    if (buffer === undefined || buffer.length < length) buffer = new Float32Array(length);
    this.#buffers.set(name, buffer);
    const scaled = { ...rows, values: buffer.subarray(0, length) };
    const feeds = { rows: matrixTensor(rows), ...(others && { others: matrixTensor(others) }) };
    await session.run({ ...feeds, factors: floatTensor(factors, [rows.rows, 1]) }, { scaled: matrixTensor(scaled) });
    return scaled;
  }

  /** Frees its sessions, or leaves them in the pool. */
  async release(): Promise<void> {
    this.#buffers.clear();
    await this.#sessions.release();
  }
}
