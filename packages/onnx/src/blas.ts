import { InternalError } from "@mbs/contracts";
import type { Blas, GemmOptions, Matrix } from "@mbs/contracts";
import { GraphBuilder } from "./graph-builder.ts";
import { createSession } from "./session.ts";
import type { Session } from "./session.ts";
import { floatTensor, floatValues } from "./tensor.ts";

/** A Blas on ONNX Runtime, with sessions of its own. */
export interface OnnxBlas extends Blas {
  /** Frees its sessions. */
  release(): Promise<void>;
}

interface Flags {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  readonly alpha: number;
  readonly add: boolean;
}

function gemmGraph({ transposeA, transposeB, alpha, add }: Flags): Uint8Array {
  const graph = new GraphBuilder("gemm");
  const inputs = [
    graph.input("a", "float32", transposeA ? ["K", "M"] : ["M", "K"]),
    graph.input("b", "float32", transposeB ? ["N", "K"] : ["K", "N"]),
    ...(add ? [graph.input("c", "float32", ["M", "N"])] : []),
  ];
  const attributes = { transA: Number(transposeA), transB: Number(transposeB), alpha: { float: alpha } };
  graph.output("y", graph.node("Gemm", inputs, { attributes, name: "gemm" }), "float32", ["M", "N"]);
  return graph.build();
}

const shapeText = (matrix: Matrix, transpose: boolean): string =>
  `${matrix.rows}×${matrix.columns}${transpose ? " transposed" : ""}`;

function resultShape(a: Matrix, b: Matrix, options: GemmOptions): { rows: number; columns: number; inner: number } {
  const { transposeA = false, transposeB = false, add } = options;
  const rows = transposeA ? a.columns : a.rows;
  const inner = transposeA ? a.rows : a.columns;
  const columns = transposeB ? b.rows : b.columns;
  const fits = inner === (transposeB ? b.columns : b.rows) && (!add || (add.rows === rows && add.columns === columns));
  const filled = [a, b, ...(add ? [add] : [])].every((matrix) => matrix.values.length === matrix.rows * matrix.columns);
  if (!fits || !filled) {
    const parts = [shapeText(a, transposeA), shapeText(b, transposeB), ...(add ? [shapeText(add, false)] : [])];
    throw new InternalError(`gemm: shapes ${parts.join(", ")} do not fit each other or their values`);
  }
  return { rows, columns, inner };
}

const matrixTensor = (matrix: Matrix) => floatTensor(matrix.values, [matrix.rows, matrix.columns]);

/**
 * ONNX Runtime as BLAS. A session a set of flags, made at first use, with free shapes; inputs are read in place.
 *
 * @param options threads of one product, ≥ 1
 */
export function createBlas({ threads }: { readonly threads: number }): OnnxBlas {
  const sessions = new Map<string, Promise<Session>>();
  const sessionFor = (flags: Flags): Promise<Session> => {
    const key = JSON.stringify(flags);
    const session = sessions.get(key) ?? createSession(gemmGraph(flags), { threads });
    sessions.set(key, session);
    return session;
  };
  return {
    async gemm(a, b, options = {}) {
      const { transposeA = false, transposeB = false, alpha = 1, add } = options;
      const { rows, columns, inner } = resultShape(a, b, options);
      if (rows === 0 || columns === 0 || inner === 0) {
        return { rows, columns, values: add ? add.values.slice() : new Float32Array(rows * columns) };
      }
      const session = await sessionFor({ transposeA, transposeB, alpha, add: add !== undefined });
      const feeds = { a: matrixTensor(a), b: matrixTensor(b), ...(add && { c: matrixTensor(add) }) };
      return { rows, columns, values: floatValues(await session.run(feeds), "y") };
    },
    async release() {
      const open = await Promise.all(sessions.values());
      sessions.clear();
      await Promise.all(open.map((session) => session.release()));
    },
  };
}
