import { createSession, floatTensor, GraphBuilder } from "@mbs/onnx";
import type { Session, Tensor } from "@mbs/onnx";
import type { WeightInput } from "../graph/sequence-graph.ts";
import { use } from "./recently-used.ts";
import { weightOf } from "./step-weights.ts";
import type { RoleWeights } from "./step-weights.ts";

/** A graph with its weights as inputs: one session serves every step of the same shape. */
export interface WeightedGraph {
  /** The roles that the graph reads, with their shapes. */
  readonly roles: ReadonlyMap<string, readonly number[]>;
  run(feeds: Readonly<Record<string, Tensor>>, weights: RoleWeights): Promise<Record<string, Tensor>>;
}

/** Sessions that stay open: batches have few shapes. */
const limit = 8;

/** Builds graphs when first needed and keeps those used last. */
export class GraphCache {
  readonly #threads: number;
  readonly #kept = new Map<string, { graph: WeightedGraph; session: Session }>();

  constructor(threads: number) {
    this.#threads = threads;
  }

  /**
   * @param key tells apart what `build` makes
   * @param build adds inputs, nodes and outputs; `weight` declares a weight by its role
   */
  async get(key: string, build: (graph: GraphBuilder, weight: WeightInput) => void): Promise<WeightedGraph> {
    const kept = use(this.#kept, key);
    if (kept !== undefined) return kept.graph;
    if (this.#kept.size >= limit) await this.#dropOldest();
    const roles = new Map<string, readonly number[]>();
    const builder = new GraphBuilder(key);
    build(builder, (role, shape) => {
      roles.set(role, shape);
      return builder.input(role, "float32", shape);
    });
    const session = await createSession(builder.build(), { threads: this.#threads });
    const graph: WeightedGraph = {
      roles,
      run: (feeds, weights) => {
        const inputs = [...roles].map(([role, shape]) => [role, floatTensor(weightOf(weights, role), shape)] as const);
        return session.run({ ...feeds, ...Object.fromEntries(inputs) });
      },
    };
    this.#kept.set(key, { graph, session });
    return graph;
  }

  async #dropOldest(): Promise<void> {
    for (const [key, { session }] of this.#kept) {
      this.#kept.delete(key);
      await session.release();
      return;
    }
  }

  async close(): Promise<void> {
    while (this.#kept.size > 0) await this.#dropOldest();
  }
}
