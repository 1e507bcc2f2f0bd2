import { at, InternalError } from "@mbs/contracts";
import type { Device, Matrix } from "@mbs/contracts";
import { deviceMatrix, floatValues, GraphBuilder, isOnDevice, matrixTensor, placedTensor } from "@mbs/onnx";
import type { PlacedMatrix, Tensor } from "@mbs/onnx";
import type { Layout, BlockGraphValues } from "../architectures/layout.ts";
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { blockedWeight } from "../checkpoint/quantised/blocked-weight.ts";
import type { BlockedWeight } from "../checkpoint/quantised/blocked-weight.ts";
import type { Forward, GivenWeights, BlockCut, BlockInputs, BlockOptions, PlacedInputs } from "../folder/model.ts";
import { withPackedLinears } from "../graph/packed-linear.ts";
import { tokenInputName } from "../graph/sequence-graph.ts";
import type { WeightInput } from "../graph/sequence-graph.ts";
import { createStackedSequence } from "../graph/stacked-sequence.ts";
import { requireBlock } from "./forward-checks.ts";
import type { GraphCache, WeightedGraph } from "./graph-cache.ts";
import { liveValue, siteRounds } from "./block-parts.ts";
import type { BlockGraph } from "./block-parts.ts";
import { createBlockWalk } from "./block-walk.ts";
import type { RunnableParts } from "./block-walk.ts";
import type { RoleWeights, WeightCache } from "./block-weights.ts";
import { statesOf } from "./streams.ts";
import type { StreamStates } from "./streams.ts";
import type { TokenInputReader } from "./token-input.ts";

/** What the graph of a block depends on. */
type BlockShape = Pick<BlockCut, "block" | "batch" | "lengths">;

/** Inputs of a block's graph. */
const ownStates = "input";
const streamInput = (stream: string): string => `stream ${stream}`;

function override(weights: RoleWeights, names: ReadonlyMap<string, string>, values: GivenWeights): RoleWeights {
  const changed = new Map(weights);
  for (const [role, name] of names) {
    const value = values.get(name);
    if (value === undefined) continue;
    if (value.length !== weights.get(role)?.length)
      throw new InternalError(`${name}: ${value.length} values given for a block`, { tensor: name });
    changed.set(role, value);
  }
  return changed;
}

function rowsOf(results: Readonly<Record<string, Tensor>>, name: string, columns: number): Matrix {
  const values = floatValues(results, name);
  return { rows: values.length / columns, columns, values };
}

/** Reads the weights of a block that are multiplied as they are packed, by role. */
export function packedReader(layout: Layout, checkpoint: Checkpoint) {
  const turned = new Set(layout.tensors.filter(({ transposed }) => transposed).map(({ name }) => name));
  return async (index: number): Promise<ReadonlyMap<string, BlockedWeight>> => {
    const found = new Map<string, BlockedWeight>();
    for (const [role, tensor] of layout.blockRoles(index)) {
      const packed = turned.has(tensor) ? undefined : await checkpoint.readPacked?.(tensor);
      const blocked = packed === undefined ? undefined : blockedWeight(packed);
      if (blocked !== undefined) found.set(role, blocked);
    }
    return found;
  };
}

/** Builds the graph of a block. @param packed weights that are constants of the graph, by role */
function buildBlock(
  layout: Layout,
  { block: index, batch, lengths }: BlockShape,
  builder: GraphBuilder,
  weight: WeightInput,
  packed: ReadonlyMap<string, BlockedWeight> = new Map(),
): BlockGraphValues {
  const { hiddenSize, stateWidth = hiddenSize } = layout;
  const input = (name: string, length: number): string => builder.input(name, "float32", [batch * length, stateWidth]);
  const states = input(ownStates, at(lengths, 0));
  const others = at(layout.blocks, index).reads.map((stream, position) => {
    const length = at(lengths, position + 1);
    return [stream, { states: input(streamInput(stream), length), length }] as const;
  });
  const sequence = createStackedSequence(builder, weight, { batch, length: at(lengths, 0), others: new Map(others) });
  return layout.buildBlock(packed.size === 0 ? sequence : withPackedLinears(sequence, packed), states, index);
}

/** What a block's graph is given, its sites and its end. @throws {InternalError} where it does not make a site */
function outlineBlock(layout: Layout, index: number, made: BlockGraphValues): Omit<BlockGraph, "nodes"> {
  const { name: block, sites, reads } = at(layout.blocks, index);
  const roles = new Map([...layout.blockRoles(index)].map(([role, tensor]) => [tensor, role]));
  const found = sites.map(({ name, weights, adds }) => {
    const value = made.sites.get(name);
    if (value === undefined) throw new InternalError(`the graph of ${block} does not make its site ${name}`);
    const residual = adds && made.residuals.get(name);
    if (adds !== undefined && residual === undefined) {
      throw new InternalError(`the graph of ${block} does not say what its site ${name} is added to`);
    }
    return { name, value, weights: weights.flatMap(({ tensor }) => roles.get(tensor) ?? []), residual };
  });
  const given = [ownStates, ...reads.map(streamInput), ...(layout.tokenInput === undefined ? [] : [tokenInputName])];
  return { given, sites: found, end: made.states };
}

/** The sites of a block in rounds, from its graph: they do not depend on the number of tokens. */
export function layoutRounds(layout: Layout, index: number): readonly (readonly string[])[] {
  const builder = new GraphBuilder("rounds");
  const shape = { block: index, batch: 1, lengths: [1, ...at(layout.blocks, index).reads.map(() => 1)] };
  const made = buildBlock(layout, shape, builder, (role, dims) => builder.input(role, "float32", dims));
  return siteRounds({ nodes: builder.listNodes(), ...outlineBlock(layout, index, made) });
}

/** What a forward pass over whole texts shares with the rest. */
interface BlockForwardParts {
  readonly device: Device | undefined;
  readonly graphs: GraphCache;
  readonly packedGraphs: GraphCache;
  readonly cache: WeightCache;
  readonly tokenInputOf: TokenInputReader;
}

/** The graphs of an architecture's blocks, and what each is given. */
class BlockRunner {
  readonly #layout: Layout;
  readonly #parts: BlockForwardParts;
  readonly #packedOf: (index: number) => Promise<ReadonlyMap<string, BlockedWeight>>;

  constructor(layout: Layout, checkpoint: Checkpoint, parts: BlockForwardParts) {
    this.#layout = layout;
    this.#parts = parts;
    this.#packedOf = packedReader(layout, checkpoint);
  }

  get stateWidth(): number {
    const { hiddenSize, stateWidth = hiddenSize } = this.#layout;
    return stateWidth;
  }

  shapeOf(index: number, states: PlacedMatrix, { batch = 1, reads = new Map() }: PlacedInputs): BlockShape {
    const block = requireBlock(this.#layout.blocks, index, states, batch);
    const others = block.reads.map((stream) => statesOf(reads, stream));
    return { block: index, batch, lengths: [states, ...others].map(({ rows }) => rows / batch) };
  }

  graphOf(shape: BlockShape): Promise<WeightedGraph> {
    return this.#parts.graphs.get(
      `block ${this.#keyOf(shape)}`,
      (builder, weight) => builder.output("states", buildBlock(this.#layout, shape, builder, weight).states, "float32"),
      { keepsOutputs: true },
    );
  }

  async feedsOf(index: number, states: Matrix, reads: StreamStates = new Map()): Promise<Map<string, Tensor>> {
    const { blocks } = this.#layout;
    const others = at(blocks, index).reads.map((stream) => [streamInput(stream), matrixTensor(statesOf(reads, stream))] as const);
    const tokenInput = await this.#parts.tokenInputOf(index, states);
    return new Map([[ownStates, matrixTensor(states)], ...others, ...Object.entries(tokenInput)]);
  }

  async weightsOf(index: number, given: GivenWeights | undefined): Promise<RoleWeights> {
    const roles = this.#layout.blockRoles(index);
    const stored = await this.#parts.cache.read(at(this.#layout.blocks, index).name, roles);
    return given === undefined ? stored : override(stored, roles, given);
  }

  /** A block with its packed weights as constants, which the engine arranges for its products once: a graph for each block. */
  async runPacked(shape: BlockShape, feeds: Readonly<Record<string, Tensor>>): Promise<Matrix> {
    const { packedGraphs, cache } = this.#parts;
    const { block: index } = shape;
    const graph = await packedGraphs.get(`packed block ${index} ${this.#keyOf(shape)}`, async (builder, weight) => {
      const { states } = buildBlock(this.#layout, shape, builder, weight, await this.#packedOf(index));
      builder.output("states", states, "float32");
    });
    const dense = new Map([...this.#layout.blockRoles(index)].filter(([role]) => graph.roles.has(role)));
    const weights = await cache.read(`${at(this.#layout.blocks, index).name}, dense`, dense);
    return rowsOf(await graph.run(feeds, weights), "states", this.stateWidth);
  }

  /** The part of a block's graph that a cut has come to. */
  async partsOf(cut: BlockCut): Promise<RunnableParts> {
    const { block: index, round, live } = cut;
    const { parts, end, part } = await this.#parts.graphs.getParts(this.#keyOf(cut), (builder, weight) =>
      outlineBlock(this.#layout, index, buildBlock(this.#layout, cut, builder, weight)),
    );
    return {
      parts,
      end,
      run: async ({ reads }, given) => {
        const graph = await part(round, live);
        const feeds = reads.map((value) => [value, liveValue(live, value)] as const);
        const made = await graph.runKept(Object.fromEntries(feeds), await this.weightsOf(index, given));
        const roles = this.#layout.blockRoles(index);
        return { made, used: [...graph.roles.keys()].flatMap((role) => roles.get(role) ?? []) };
      },
    };
  }

  /** Blocks of the same key have the same graph. */
  #keyOf({ block, batch, lengths }: BlockShape): string {
    return [this.#layout.blockKind(block), batch, ...lengths].join(" ");
  }
}

/** Runs the blocks of an architecture, whole and site by site. */
export function createBlockForward(
  layout: Layout,
  checkpoint: Checkpoint,
  parts: BlockForwardParts,
): Pick<Forward, "keptBlock" | "block" | "beginBlock" | "nextSites" | "endBlock"> {
  const { blocks, hiddenSize } = layout;
  const runner = new BlockRunner(layout, checkpoint, parts);
  const { stateWidth } = runner;
  const walk = createBlockWalk({ blocks, stateWidth, hiddenSize, rowsOf, partsOf: (cut) => runner.partsOf(cut) });

  const keptBlock: Forward["keptBlock"] = async (index, states, { batch = 1, reads = new Map<string, PlacedMatrix>() }) => {
    const shape = runner.shapeOf(index, states, { batch, reads });
    const others = at(blocks, index).reads.map((stream) => [streamInput(stream), placedTensor(statesOf(reads, stream))] as const);
    const feeds = { [ownStates]: placedTensor(states), ...Object.fromEntries(others) };
    const graph = await runner.graphOf(shape);
    const { states: tensor } = await graph.runKept(feeds, await runner.weightsOf(index, undefined));
    if (tensor === undefined) throw new InternalError(`block ${index} made no states`);
    return isOnDevice(tensor) ? deviceMatrix(tensor, stateWidth) : rowsOf({ states: tensor }, "states", stateWidth);
  };

  return {
    ...walk,
    async block(index, states, options: BlockOptions = {}) {
      const shape = runner.shapeOf(index, states, options);
      const feeds = Object.fromEntries(await runner.feedsOf(index, states, options.reads));
      if (options.activations === "int8") {
        if (options.weights !== undefined) throw new InternalError("a block was given weights, and activations in int8");
        return runner.runPacked(shape, feeds);
      }
      const graph = await runner.graphOf(shape);
      return rowsOf(await graph.run(feeds, await runner.weightsOf(index, options.weights)), "states", stateWidth);
    },
    // what a block reads of each token is found from the states here
    ...(parts.device === "webgpu" && layout.tokenInput === undefined && { keptBlock }),
    async beginBlock(index, states, inputs: BlockInputs = {}) {
      const shape = runner.shapeOf(index, states, inputs);
      const live = await runner.feedsOf(index, states, inputs.reads);
      return { ...shape, round: 0, passed: new Set<string>(), live, used: new Set<string>() };
    },
  };
}
