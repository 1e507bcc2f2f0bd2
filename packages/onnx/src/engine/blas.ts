import { InternalError } from "@mbs/contracts";
import type { Blas, GemmOptions, Matrix, ObjectPool, Real } from "@mbs/contracts";
import { GraphBuilder } from "../graph-builder.ts";
import { takeSessions } from "./pooled-sessions.ts";
import type { Tensor } from "../tensor.ts";

/** A Blas on ONNX Runtime, with sessions of its own. */
export interface OnnxBlas<Values extends Real = Float32Array> extends Blas<Values> {
  /** Frees its sessions, or leaves them in the pool. */
  release(): Promise<void>;
}

export interface BlasOptions {
  /** Threads of one product, ≥ 1. */
  readonly threads: number;
  /** Where sessions that an earlier one has made are looked for, and where they stay after `release`. */
  readonly pool?: ObjectPool | undefined;
}

/** What one precision needs: its name in ONNX and how its values go in and come out. */
interface Precision<Values extends Real> {
  readonly type: "float32" | "float64";
  readonly zeros: (length: number) => Values;
  readonly tensor: (matrix: Matrix<Values>) => Tensor;
  readonly values: (tensor: Tensor | undefined) => Values | undefined;
}

const single: Precision<Float32Array> = {
  type: "float32",
  zeros: (length) => new Float32Array(length),
  tensor: ({ rows, columns, values }) => ({ type: "float32", dims: [rows, columns], data: values }),
  values: (tensor) => (tensor?.type === "float32" ? tensor.data : undefined),
};

const double: Precision<Float64Array> = {
  type: "float64",
  zeros: (length) => new Float64Array(length),
  tensor: ({ rows, columns, values }) => ({ type: "float64", dims: [rows, columns], data: values }),
  values: (tensor) => (tensor?.type === "float64" ? tensor.data : undefined),
};

interface Flags {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  readonly alpha: number;
  readonly add: boolean;
}

/** The graph of a product: inputs a and b, c where it is added, output y. */
export function gemmGraph(type: "float32" | "float64", { transposeA, transposeB, alpha, add }: Flags): Uint8Array {
  const graph = new GraphBuilder("gemm");
  const inputs = [
    graph.input("a", type, transposeA ? ["K", "M"] : ["M", "K"]),
    graph.input("b", type, transposeB ? ["N", "K"] : ["K", "N"]),
    ...(add ? [graph.input("c", type, ["M", "N"])] : []),
  ];
  const attributes = { transA: Number(transposeA), transB: Number(transposeB), alpha: { float: alpha } };
  graph.output("y", graph.node("Gemm", inputs, { attributes, name: "gemm" }), type, ["M", "N"]);
  return graph.build();
}

const shapeText = ({ rows, columns }: Matrix<Real>, transpose = false): string =>
  `${rows}×${columns}${transpose ? " transposed" : ""}`;

function resultShape<Values extends Real>(a: Matrix<Values>, b: Matrix<Values>, options: GemmOptions<Values>) {
  const { transposeA = false, transposeB = false, add, into } = options;
  const rows = transposeA ? a.columns : a.rows;
  const inner = transposeA ? a.rows : a.columns;
  const columns = transposeB ? b.rows : b.columns;
  const fits = inner === (transposeB ? b.columns : b.rows) && (!add || (add.rows === rows && add.columns === columns));
  const matrices = [a, b, ...(add ? [add] : []), ...(into ? [{ rows, columns, values: into }] : [])];
  const filled = matrices.every((matrix) => matrix.values.length === matrix.rows * matrix.columns);
  if (!fits || !filled) {
    const parts = [shapeText(a, transposeA), shapeText(b, transposeB), ...(add ? [shapeText(add)] : [])];
    throw new InternalError(`gemm: shapes ${parts.join(", ")} do not fit each other or their values`);
  }
  return { rows, columns, inner };
}

function createBlasOf<Values extends Real>(precision: Precision<Values>, { threads, pool }: BlasOptions): OnnxBlas<Values> {
  const sessions = takeSessions(`products ${precision.type}`, threads, pool);
  return {
    async gemm(a, b, options = {}) {
      const { transposeA = false, transposeB = false, alpha = 1, add, into } = options;
      const { rows, columns, inner } = resultShape(a, b, options);
      if (rows === 0 || columns === 0 || inner === 0) {
        const values = into ?? precision.zeros(rows * columns);
        if (add) values.set(add.values);
        else values.fill(0);
        return { rows, columns, values };
      }
      const flags = { transposeA, transposeB, alpha, add: add !== undefined };
      const session = await sessions.get(JSON.stringify(flags), () => gemmGraph(precision.type, flags));
      const outputs = await session.run(
        { a: precision.tensor(a), b: precision.tensor(b), ...(add && { c: precision.tensor(add) }) },
        into && { y: precision.tensor({ rows, columns, values: into }) },
      );
      if (into) return { rows, columns, values: into };
      const values = precision.values(outputs["y"]);
      if (!values) throw new InternalError(`gemm returned no ${precision.type} values`);
      return { rows, columns, values };
    },
    release: () => sessions.release(),
  };
}

/**
 * ONNX Runtime as BLAS. One session for each set of flags, made at first use, with symbolic shapes; inputs are read in place.
 *
 * ```ts
 * const blas = createBlas({ threads: 2 });
 * const gram = await blas.gemm(x, x, { transposeA: true, alpha: 1 / x.rows });
 * await blas.release();
 * ```
 */
export const createBlas = (options: BlasOptions): OnnxBlas => createBlasOf(single, options);

/** The same in double precision, at about half the speed. */
export const createDoubleBlas = (options: BlasOptions): OnnxBlas<Float64Array> => createBlasOf(double, options);
