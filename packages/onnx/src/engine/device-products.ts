import type { PlacedMatrix } from "../device-tensor.ts";
import { GraphBuilder } from "../graph-builder.ts";
import { integerTensor } from "../tensor.ts";
import { deviceSession, download, readMatrix, runOnDevice, upload } from "./device-memory.ts";
import type { HeldTensor } from "./device-memory.ts";
import type { Panel } from "./gram-panels.ts";
import { addInHalves } from "./halves.ts";
import type { Range } from "./halves.ts";
import type { ProductEngine, ProductSum } from "./product-engine.ts";
import { OrtTensor } from "./runtime.ts";

/** A panel of the Gram of A, or rows of the cross-moment of A and B. */
type ProductKind = "gram" | "cross";

/** Columns first … last-1 of A by B, or of a Gram by A from the column `first` on; plus the sum so far where there is one. */
function productGraph(kind: ProductKind, adds: boolean): Uint8Array {
  const name = kind === "gram" ? "gram-panel" : "cross-moment";
  const graph = new GraphBuilder(name);
  const matrix = (input: string): string => graph.input(input, "float32", ["T", "W"]);
  const column = (input: string): string => graph.input(input, "int64", [1]);
  const [a, first, axis] = [matrix("a"), column("first"), graph.constant(integerTensor([1]))];
  const part = (end: string): string => graph.node("Slice", [a, first, column(end), axis]);
  const sum = adds ? [graph.input("sum", "float32", ["M", "N"])] : [];
  const factors = [part("last"), kind === "gram" ? part("width") : matrix("b")];
  graph.output("y", graph.node("Gemm", [...factors, ...sum], { attributes: { transA: 1 }, name }), "float32", ["M", "N"]);
  return graph.build();
}

/** Numbers of a part of a sum, 128 MiB: what WebGPU promises that a product may be of, and small beside the memory of a card. */
const partNumbers = 32 * 1024 ** 2;

const integer = (value: number): OrtTensor => new OrtTensor("int64", BigInt64Array.of(BigInt(value)), [1]);

/** Some tokens of states on the graphics processor, which `free` frees if they were copied there for this. */
interface HeldRows {
  readonly tensor: HeldTensor;
  readonly free: () => void;
}

/** Copies some tokens there, if they are not there already. */
async function holdRows(states: PlacedMatrix, { first, last }: Range): Promise<HeldRows> {
  const { rows, columns } = states;
  if ("tensor" in states && last - first === rows) return { tensor: states.tensor.held, free: () => undefined };
  const { values } = await readMatrix(states);
  const tensor = await upload(values.subarray(first * columns, last * columns), [last - first, columns]);
  return { tensor, free: () => tensor.dispose() };
}

/** Some rows of a sum, and where they are in it. */
interface HeldPart {
  readonly tensor: HeldTensor;
  readonly first: number;
}

/** Sums in the memory of a graphics processor, which come back when they are settled. */
export class DeviceProducts implements ProductEngine {
  readonly #held = new Map<ProductSum, HeldPart[]>();

  addGram(states: PlacedMatrix, panels: readonly Panel[]): Promise<void> {
    const { rows, columns } = states;
    const width = integer(columns);
    return addInHalves({ first: 0, last: rows, shape: `gram ${columns}` }, panels, async (tokens, open) => {
      const { tensor: a, free } = await holdRows(states, tokens);
      try {
        for (const panel of open) {
          const { first, last } = panel;
          await this.#add("gram", { a, first: integer(first), last: integer(last), width }, { sum: panel, part: 0 });
          open.delete(panel);
        }
      } finally {
        free();
      }
    });
  }

  addCross(a: PlacedMatrix, b: PlacedMatrix, sum: ProductSum): Promise<void> {
    const width = a.columns;
    const rows = Math.max(1, Math.floor(partNumbers / width));
    const parts = Array.from({ length: Math.ceil(width / rows) }, (_, part) => part);
    return addInHalves({ first: 0, last: a.rows, shape: `cross ${width}` }, parts, async (tokens, open) => {
      const held: HeldRows[] = [];
      try {
        for (const states of [a, b]) held.push(await holdRows(states, tokens));
        const [heldA, heldB] = held as [HeldRows, HeldRows];
        for (const part of open) {
          const first = part * rows;
          const columns = { first: integer(first), last: integer(Math.min(width, first + rows)) };
          await this.#add("cross", { a: heldA.tensor, b: heldB.tensor, ...columns }, { sum, part, first: first * width });
          open.delete(part);
        }
      } finally {
        for (const { free } of held) free();
      }
    });
  }

  async #add(
    kind: ProductKind,
    feeds: Readonly<Record<string, OrtTensor>>,
    { sum, part, first = 0 }: { readonly sum: ProductSum; readonly part: number; readonly first?: number },
  ): Promise<void> {
    const parts = this.#held.get(sum) ?? [];
    this.#held.set(sum, parts);
    const held = parts[part]?.tensor;
    const adds = held !== undefined;
    const session = await deviceSession(`${kind}${adds ? ", added" : ""}`, () => productGraph(kind, adds));
    const { y } = await runOnDevice(session, { ...feeds, ...(held && { sum: held }) });
    held?.dispose();
    parts[part] = { tensor: y as HeldTensor, first };
  }

  async settle(sum: ProductSum): Promise<void> {
    for (const { tensor, first } of this.#held.get(sum) ?? []) {
      await download(tensor, sum.values.subarray(first, first + tensor.size));
    }
  }

  drop(sum: ProductSum): void {
    for (const { tensor } of this.#held.get(sum) ?? []) tensor.dispose();
    this.#held.delete(sum);
  }

  release(): Promise<void> {
    for (const sum of this.#held.keys()) this.drop(sum);
    return Promise.resolve();
  }
}
