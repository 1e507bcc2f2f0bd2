import { placedTensor } from "../device-tensor.ts";
import type { PlacedMatrix } from "../device-tensor.ts";
import { GraphBuilder } from "../graph-builder.ts";
import { floatTensor } from "../tensor.ts";
import { gemmGraph } from "./blas.ts";
import { readMatrix } from "./device-memory.ts";
import type { Panel } from "./gram-panels.ts";
import type { Sessions } from "./pooled-sessions.ts";
import type { ProductEngine, ProductSum } from "./product-engine.ts";

function transposeGraph(): Uint8Array {
  const graph = new GraphBuilder("transpose");
  const x = graph.input("x", "float32", ["T", "W"]);
  graph.output("y", graph.node("Transpose", [x], { attributes: { perm: [1, 0] } }), "float32", ["W", "T"]);
  return graph.build();
}

/** AᵀB or ABᵀ plus the sum so far. */
const sumGraph = (transposed: "a" | "b"): Uint8Array =>
  gemmGraph("float32", { transposeA: transposed === "a", transposeB: transposed === "b", alpha: 1, add: true });

/** Sums in memory: sessions that all share, and a buffer for one Xᵀ. */
export class HostProducts implements ProductEngine {
  readonly #sessions: Sessions;
  #buffer = new Float32Array(0);

  constructor(sessions: Sessions) {
    this.#sessions = sessions;
  }

  /** Parts of Xᵀ are views, and a panel is read and written in place: nothing else is copied. */
  async addGram(states: PlacedMatrix, panels: readonly Panel[]): Promise<void> {
    const { rows, columns, values } = await readMatrix(states);
    const transpose = await this.#sessions.get("transpose", transposeGraph);
    const product = await this.#sessions.get("panel", () => sumGraph("b"));
    if (this.#buffer.length < values.length) this.#buffer = new Float32Array(values.length);
    const turned = this.#buffer.subarray(0, values.length);
    await transpose.run({ x: floatTensor(values, [rows, columns]) }, { y: floatTensor(turned, [columns, rows]) });
    for (const { first, last, values: panel } of panels) {
      const sum = floatTensor(panel, [last - first, columns - first]);
      const a = floatTensor(turned.subarray(first * rows, last * rows), [last - first, rows]);
      const b = floatTensor(turned.subarray(first * rows), [columns - first, rows]);
      await product.run({ a, b, c: sum }, { y: sum });
    }
  }

  async addCross(difference: PlacedMatrix, states: PlacedMatrix, { values }: ProductSum): Promise<void> {
    const product = await this.#sessions.get("cross", () => sumGraph("a"));
    const { columns } = states;
    const sum = floatTensor(values, [columns, columns]);
    await product.run({ a: placedTensor(difference), b: placedTensor(states), c: sum }, { y: sum });
  }

  settle(): Promise<void> {
    return Promise.resolve();
  }

  drop(): void {}

  async release(): Promise<void> {
    this.#buffer = new Float32Array(0);
    await this.#sessions.release();
  }
}
