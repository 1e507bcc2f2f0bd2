import { at } from "@mbs/contracts";
import type { Device } from "@mbs/contracts";
import { constantTensor, createSession, GraphBuilder } from "@mbs/onnx";
import type { PlacedTensor, Session, SessionOptions, Tensor } from "@mbs/onnx";
import type { ForwardOptions } from "../folder/model.ts";
import type { WeightInput } from "../graph/sequence-graph.ts";
import { use } from "./recently-used.ts";
import { cutAtSites, liveValue } from "./block-parts.ts";
import type { BlockGraph, BlockPart } from "./block-parts.ts";
import { weightOf } from "./block-weights.ts";
import type { RoleWeights } from "./block-weights.ts";

/** A graph with its weights as inputs: one session serves every block of the same shape. */
export interface WeightedGraph {
  /** The roles that the graph reads, with their shapes. */
  readonly roles: ReadonlyMap<string, readonly number[]>;
  /** @param into tensors that take outputs by name, written in place */
  run(
    feeds: Readonly<Record<string, PlacedTensor>>,
    weights: RoleWeights,
    into?: Readonly<Record<string, Tensor>>,
  ): Promise<Record<string, Tensor>>;
  /** The same; what it makes stays where it runs, if the graph was made with `keepsOutputs`. */
  runKept(feeds: Readonly<Record<string, PlacedTensor>>, weights: RoleWeights): Promise<Record<string, PlacedTensor>>;
}

/** A block's graph, cut at its sites. */
export interface PartedGraph {
  readonly parts: readonly BlockPart[];
  /** The states after the block. */
  readonly end: string;
  /** The graph of a part, which is fed what the part reads. @param live these values among others: they tell the types */
  readonly part: (position: number, live: ReadonlyMap<string, PlacedTensor>) => Promise<WeightedGraph>;
}

/** Adds inputs, nodes and outputs to a graph; `weight` declares a weight by its role. */
type Build<Made> = (graph: GraphBuilder, weight: WeightInput) => Made | Promise<Made>;

interface Kept<Graph> {
  readonly graph: Graph;
  readonly release: () => Promise<void>;
}

async function buildGraph<Made>(key: string, device: Device, build: Build<Made>) {
  const roles = new Map<string, readonly number[]>();
  const builder = new GraphBuilder(key, { device });
  const made = await build(builder, (role, shape) => {
    roles.set(role, shape);
    return builder.input(role, "float32", shape);
  });
  return { builder, roles, made };
}

function withWeights(session: Session, roles: WeightedGraph["roles"]): WeightedGraph {
  const withInputs = (feeds: Readonly<Record<string, PlacedTensor>>, weights: RoleWeights): Record<string, PlacedTensor> => {
    const inputs = [...roles].map(([role, shape]) => [role, constantTensor(weightOf(weights, role), shape)] as const);
    return { ...feeds, ...Object.fromEntries(inputs) };
  };
  return {
    roles,
    run: (feeds, weights, into) => session.run(withInputs(feeds, weights), into),
    runKept: (feeds, weights) => session.runKept(withInputs(feeds, weights)),
  };
}

async function dropOldest<Graph>(kept: Map<string, Kept<Graph>>): Promise<void> {
  for (const [key, { release }] of kept) {
    kept.delete(key);
    await release();
    return;
  }
}

/** Builds graphs when first needed and keeps those used last. */
export class GraphCache {
  readonly #threads: number;
  readonly #device: Device;
  readonly #limit: number;
  readonly #whole = new Map<string, Kept<WeightedGraph>>();
  readonly #parted = new Map<string, Kept<PartedGraph>>();

  /** @param limit graphs whose sessions stay open: batches have few shapes */
  constructor({ threads, device = "cpu" }: Pick<ForwardOptions, "threads" | "device">, limit = 16) {
    this.#threads = threads;
    this.#device = device;
    this.#limit = limit;
  }

  /**
   * @param key tells apart what `build` makes
   * @param options as of a session
   */
  async get(
    key: string,
    build: Build<void>,
    { keepsOutputs = false }: Pick<SessionOptions, "keepsOutputs"> = {},
  ): Promise<WeightedGraph> {
    const kept = use(this.#whole, key);
    if (kept !== undefined) return kept.graph;
    if (this.#whole.size >= this.#limit) await dropOldest(this.#whole);
    const { builder, roles } = await buildGraph(key, this.#device, build);
    const session = await this.#open(key, builder.build(), keepsOutputs);
    const graph = withWeights(session, roles);
    this.#whole.set(key, { graph, release: () => session.release() });
    return graph;
  }

  /**
   * @param key tells apart what `build` makes
   * @param build says where the graph is cut
   */
  async getParts(key: string, build: Build<Omit<BlockGraph, "nodes">>): Promise<PartedGraph> {
    const kept = use(this.#parted, key);
    if (kept !== undefined) return kept.graph;
    if (this.#parted.size >= this.#limit) await dropOldest(this.#parted);
    const { builder, roles, made } = await buildGraph(key, this.#device, build);
    const parts = cutAtSites({ nodes: builder.listNodes(), ...made });
    const open = new Map<number, { readonly graph: WeightedGraph; readonly session: Session }>();
    const part: PartedGraph["part"] = async (position, live) => {
      const found = open.get(position);
      if (found !== undefined) return found.graph;
      const { reads, makes } = at(parts, position);
      const types = new Map(reads.map((name) => [name, liveValue(live, name).type]));
      const { model, inputs } = builder.part(makes, types);
      const session = await this.#open(`${key}, part ${position + 1}`, model, true);
      const graph = withWeights(session, new Map([...roles].filter(([role]) => inputs.includes(role))));
      open.set(position, { graph, session });
      return graph;
    };
    const release = async (): Promise<void> => {
      for (const { session } of open.values()) await session.release();
    };
    const graph = { parts, end: made.end, part };
    this.#parted.set(key, { graph, release });
    return graph;
  }

  #open(name: string, model: Uint8Array, keepsOutputs: boolean): Promise<Session> {
    return createSession(model, { threads: this.#threads, device: this.#device, name, keepsOutputs });
  }

  async close(): Promise<void> {
    while (this.#whole.size > 0) await dropOldest(this.#whole);
    while (this.#parted.size > 0) await dropOldest(this.#parted);
  }
}
