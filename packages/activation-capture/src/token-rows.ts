import { InternalError } from "@mbs/contracts";
import type { Device, Matrix } from "@mbs/contracts";
import {
  constantTensor,
  deviceMatrix,
  floatTensor,
  floatValues,
  GraphBuilder,
  integerTensor,
  isOnDevice,
  matrixTensor,
  placedTensor,
  readMatrix,
  takeSessions,
  unlessFull,
} from "@mbs/onnx";
import type { BlasOptions, DeviceMatrix, PlacedMatrix, PlacedTensor, Sessions } from "@mbs/onnx";

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

async function sizesOf(sessions: Sessions, rows: PlacedTensor): Promise<Float32Array> {
  const session = await sessions.get("inverse sizes", inverseSizesGraph);
  return floatValues(await session.run({ rows }), "inverse sizes");
}

/** Rows, or the difference of two matrices' rows, times a number each. */
function scaleGraph(others: boolean): Uint8Array {
  const graph = new GraphBuilder("scale");
  const rows = graph.input("rows", "float32", ["T", "W"]);
  const from = others ? graph.node("Sub", [rows, graph.input("others", "float32", ["T", "W"])]) : rows;
  graph.output("scaled", graph.node("Mul", [from, graph.input("factors", "float32", ["T", 1])]), "float32", ["T", "W"]);
  return graph.build();
}

/** Rows times a matrix, and others added. */
function aimGraph(device: Device): Uint8Array {
  const graph = new GraphBuilder("aim", { device });
  const [rows, matrix] = [graph.input("rows", "float32", ["T", "H"]), graph.input("matrix", "float32", ["H", "W"])];
  const others = graph.input("others", "float32", ["T", "W"]);
  graph.output("aimed", graph.node("Add", [graph.node("MatMul", [rows, matrix]), others]), "float32", ["T", "W"]);
  return graph.build();
}

/** What a graph made, wherever it is, in the shape of a matrix. */
function matrixOf(made: Readonly<Record<string, PlacedTensor>>, name: string, { rows, columns }: PlacedMatrix): PlacedMatrix {
  const tensor = made[name];
  if (tensor === undefined) throw new InternalError(`a graph made no ${name} rows`);
  return isOnDevice(tensor) ? deviceMatrix(tensor, columns) : { rows, columns, values: floatValues({ [name]: tensor }, name) };
}

/**
 * Scales tokens, a row each. By {@link TokenRows.inverseSizes} of their own, each counts alike in a Gram, however large its
 * activations are: the first token of a text can have a thousand times those of others.
 */
export class TokenRows {
  readonly #sessions: Sessions;
  /** For states that are on a graphics processor. */
  readonly #deviceSessions: Sessions;
  readonly #buffers = new Map<string, Float32Array>();

  constructor({ threads, pool }: BlasOptions) {
    this.#sessions = takeSessions("token rows", threads, pool);
    this.#deviceSessions = takeSessions("token rows", threads, pool, "webgpu");
  }

  /** For each row one over its root mean square, 0 for a row of zeros or next to it (1e-37). */
  async inverseSizes(states: PlacedMatrix): Promise<Float32Array> {
    const there = "tensor" in states ? await unlessFull(sizesOf(this.#deviceSessions, states.tensor)) : undefined;
    return there ?? sizesOf(this.#sessions, matrixTensor(await readMatrix(states)));
  }

  /** Rows times a number each. @returns in memory that the next call uses again, or where the rows are, to be freed */
  scale(rows: PlacedMatrix, factors: Float32Array): Promise<PlacedMatrix> {
    return "tensor" in rows ? this.#runOnDevice("scaled", [rows], factors) : this.#run("scaled", [rows], factors);
  }

  /** The difference of rows, times a number each. @returns as `scale` */
  async difference(rows: PlacedMatrix, others: PlacedMatrix, factors: Float32Array): Promise<PlacedMatrix> {
    if ("tensor" in rows || "tensor" in others) return this.#runOnDevice("difference", [rows, others], factors);
    return this.#run("difference", [rows, others], factors);
  }

  async #run(name: string, [rows, others]: readonly [Matrix, Matrix?], factors: Float32Array): Promise<Matrix> {
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

  /**
   * Rows times a matrix that stays the same, added to others, where the rows are: on a graphics processor.
   *
   * @param matrix [columns of the rows, columns of the others]
   * @returns to be freed
   */
  async addProduct(rows: DeviceMatrix, { values, ...shape }: Matrix, others: PlacedMatrix): Promise<PlacedMatrix> {
    const matrix = constantTensor(values, [shape.rows, shape.columns]);
    const session = await this.#deviceSessions.get("aim", () => aimGraph("webgpu"));
    const made = await unlessFull(session.runKept({ rows: rows.tensor, matrix, others: placedTensor(others) }));
    if (made !== undefined) return matrixOf(made, "aimed", others);
    const here = await this.#sessions.get("aim", () => aimGraph("cpu"));
    const feeds = { rows: matrixTensor(await readMatrix(rows)), matrix, others: matrixTensor(await readMatrix(others)) };
    return matrixOf(await here.run(feeds), "aimed", others);
  }

  async #runOnDevice(
    name: string,
    [rows, others]: readonly [PlacedMatrix, PlacedMatrix?],
    factors: Float32Array,
  ): Promise<PlacedMatrix> {
    const session = await this.#deviceSessions.get(name, () => scaleGraph(others !== undefined));
    const feeds = { rows: placedTensor(rows), ...(others && { others: placedTensor(others) }) };
    const made = await unlessFull(session.runKept({ ...feeds, factors: floatTensor(factors, [rows.rows, 1]) }));
    if (made === undefined) return this.#run(name, [await readMatrix(rows), others && (await readMatrix(others))], factors);
    return matrixOf(made, "scaled", rows);
  }

  /** Frees its sessions, or leaves them in the pool. */
  async release(): Promise<void> {
    this.#buffers.clear();
    await this.#sessions.release();
    await this.#deviceSessions.release();
  }
}
