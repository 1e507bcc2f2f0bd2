import { BadDataError, FailedPreconditionError, InternalError } from "@mbs/contracts";
import { constantTensor, createSession, cutSubgraph } from "@mbs/onnx";
import type { GraphFile, GraphTensor, PlacedTensor, Session, Subgraph, SubgraphRequest, Tensor } from "@mbs/onnx";
import { use } from "../forward/recently-used.ts";
import { weightOf } from "../forward/block-weights.ts";
import type { ForwardOptions } from "../folder/model.ts";
import type { RoleWeights } from "../forward/block-weights.ts";

/** A part of a graph, ready to run. */
export interface GraphPart extends Omit<Subgraph, "model"> {
  /**
   * @param feeds by value, weights by tensor in the shape in which they are stored
   * @throws {BadDataError} naming file and node, where the engine fails on the way
   */
  run(feeds: ReadonlyMap<string, PlacedTensor>, weights: RoleWeights): Promise<Record<string, Tensor>>;
}

/** What runs a graph. */
type Machine = Pick<ForwardOptions, "threads" | "device">;

interface KeptPart {
  readonly part: GraphPart;
  readonly session: Session;
  readonly bytes: number;
}

/** Limits of the sessions that stay open. They hold quantised weights; all others are fed. */
const mostParts = 64;
const mostBytes = 256 * 1024 * 1024;

/** A graph that loads and then fails is inconsistent, which is a fault of the file, unless memory ran out. */
function runFailure(path: string, cause: unknown): unknown {
  if (!(cause instanceof InternalError) || /allocate memory|bad_alloc/.test(cause.message)) return cause;
  return new BadDataError(`${path}: ${cause.message}; export the model again`, { ...cause.facts, file: path }, { cause });
}

/** Makes sessions of parts of a graph when first needed, and keeps those used last. */
export class PartRunner {
  readonly #graph: GraphFile;
  readonly #readValues: (tensor: GraphTensor) => Promise<Uint8Array>;
  readonly #machine: Machine;
  readonly #kept = new Map<string, KeptPart>();

  constructor(graph: GraphFile, readValues: (tensor: GraphTensor) => Promise<Uint8Array>, machine: Machine) {
    this.#graph = graph;
    this.#readValues = readValues;
    this.#machine = machine;
  }

  /**
   * @param key tells requests apart
   * @throws {FailedPreconditionError} naming the node, where the engine does not know its operator or cannot use it
   */
  async get(key: string, request: () => SubgraphRequest): Promise<GraphPart> {
    const kept = use(this.#kept, key);
    if (kept !== undefined) return kept.part;
    const { model, ...cut } = await cutSubgraph(this.#graph, request(), this.#readValues);
    const session = await createSession(model, { ...this.#machine, name: key }).catch((cause: unknown) => {
      if (!(cause instanceof InternalError)) throw cause;
      throw new FailedPreconditionError(
        `${this.#graph.path}: ${cause.message}; export the model for an older opset`,
        cause.facts,
        { cause },
      );
    });
    const part: GraphPart = {
      ...cut,
      run: (feeds, weights) => {
        const named = [...feeds].map(([value, tensor]) => [cut.inputName(value), tensor] as const);
        const fed = cut.weights.map(({ name, dims }) => [name, constantTensor(weightOf(weights, name), dims)] as const);
        return session.run(Object.fromEntries([...named, ...fed])).catch((cause: unknown) => {
          throw runFailure(this.#graph.path, cause);
        });
      },
    };
    await this.#evictFor(model.length);
    this.#kept.set(key, { part, session, bytes: model.length });
    return part;
  }

  heldBytes(): number {
    return [...this.#kept.values()].reduce((sum, kept) => sum + kept.bytes, 0);
  }

  async #evictFor(bytes: number): Promise<void> {
    let held = this.heldBytes();
    for (const [key, kept] of this.#kept) {
      if (this.#kept.size < mostParts && held + bytes <= mostBytes) break;
      this.#kept.delete(key);
      held -= kept.bytes;
      await kept.session.release();
    }
  }

  async close(): Promise<void> {
    const open = [...this.#kept.values()];
    this.#kept.clear();
    for (const { session } of open) await session.release();
  }
}
