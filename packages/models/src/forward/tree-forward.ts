import { InternalError } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";
import { floatTensor, floatValues, integerTensor, SizeLimits } from "@mbs/onnx";
import type { GraphBuilder, Tensor } from "@mbs/onnx";
import type { Layout } from "../architectures/layout.ts";
import type { BlockedWeight } from "../checkpoint/quantised/blocked-weight.ts";
import type { TreeCache, TreeForward } from "../folder/model.ts";
import { withPackedLinears } from "../graph/packed-linear.ts";
import type { WeightInput } from "../graph/sequence-graph.ts";
import { maskedScore } from "../graph/softmax-attention.ts";
import {
  ancestorInput,
  chunksInput,
  createTreeSequence,
  keyPositionsInput,
  maskInput,
  pastOf,
  positionsInput,
  presentOf,
} from "../graph/tree-sequence.ts";
import type { TreeInputs, TreeShape } from "../graph/tree-sequence.ts";
import { checkTokens, requireBlock } from "./forward-checks.ts";
import { stackRows } from "./stack-rows.ts";
import type { GraphCache, WeightedGraph } from "./graph-cache.ts";
import type { RoleWeights, WeightCache } from "./block-weights.ts";
import type { TokenInputReader } from "./token-input.ts";
import { ancestorsOf, checkTree, longestText, mixesLengths, treeChunks, treeMask } from "./token-tree.ts";
import type { TokenTree } from "./token-tree.ts";

/**
 * Rotary tables have a power of two of positions, and no fewer than these: few graphs serve texts of all lengths. The engine
 * wants as many as there are tokens in the tree.
 */
const fewestPositions = 1024;

/**
 * Chunks of queries of a tree: few, since a chunk has to have some 128 queries for its products to run well, and a fixed
 * number, since a graph has it.
 */
const chunksOfTree = 4;

/** Tokens of the smallest tree that is cut into chunks. */
const fewestChunked = 64;

/** New tokens that are read at once where there is a cache: what is computed for pairs of tokens grows with them. */
const readAtOnce = 512;

/** What a block keeps of the tokens that it has read, by name: keys, values, what a convolution reads. */
type Past = Map<string, Tensor>;

/** How much larger than needed memory for keys and values is made, so that it serves texts that go on. */
const spaceToGrow = 1.25;

/**
 * Memory that one block's keys and values leave and the next block's are written to. New memory at each token would cost more than
 * what is computed: most of it in the garbage collector.
 */
class SpareMemory {
  readonly #spare = new Map<string, Float32Array>();

  /** Memory for a tensor, float32. */
  take(name: string, dims: readonly number[]): Tensor {
    const length = dims.reduce((product, size) => product * size, 1);
    const spare = this.#spare.get(name);
    this.#spare.delete(name);
    const buffer = spare === undefined || spare.length < length ? new Float32Array(Math.ceil(spaceToGrow * length)) : spare;
    return floatTensor(buffer.subarray(0, length), dims);
  }

  /** Gives a tensor's memory back. */
  leave(name: string, tensor: Tensor | undefined): void {
    if (tensor?.type === "float32") this.#spare.set(name, new Float32Array(tensor.data.buffer));
  }
}

interface OwnCache extends TreeCache {
  length: number;
  /** Whether its texts are long ones. */
  long: boolean;
  readonly blocks: Map<number, Past>;
  readonly spare: SpareMemory;
}

const newCache = (): OwnCache => ({ length: 0, long: false, blocks: new Map(), spare: new SpareMemory() });

/** What a forward pass over trees shares with the one over whole texts. */
export interface TreeForwardParts {
  readonly graphs: GraphCache;
  readonly packedGraphs: GraphCache;
  readonly cache: WeightCache;
  readonly packedOf: (index: number) => Promise<ReadonlyMap<string, BlockedWeight>>;
  readonly tokenInputOf: TokenInputReader;
  readonly embed: (tokens: Int32Array, positions: Int32Array, longest: number) => Promise<Matrix>;
  readonly scoreNext: TreeForward["score"];
}

/** Tokens of a tree, `end` not among them. */
interface TokenRange {
  readonly first: number;
  readonly end: number;
}

/** A block and the tokens that it is run on: all of the tree where there is no cache. */
interface TreePassage {
  readonly index: number;
  /** Of the tokens of the range. */
  readonly states: Matrix;
  readonly tree: TokenTree;
  readonly range: TokenRange;
  /** Whether weights are multiplied as they are packed. */
  readonly isPacked: boolean;
}

/** Builds a block's graph. @returns what it reads */
function buildTreeBlock(
  layout: Layout,
  index: number,
  shape: TreeShape,
  builder: GraphBuilder,
  weight: WeightInput,
  packed: ReadonlyMap<string, BlockedWeight>,
): TreeInputs {
  const { hiddenSize, stateWidth = hiddenSize } = layout;
  const inputs: TreeInputs = {
    chunks: false,
    positions: false,
    keyPositions: false,
    past: new Map(),
    ancestors: 0,
    windows: new Set(),
  };
  const sequence = createTreeSequence(builder, weight, shape, inputs);
  const states = builder.input("input", "float32", ["T", stateWidth]);
  const values = layout.buildBlock(packed.size === 0 ? sequence : withPackedLinears(sequence, packed), states, index);
  builder.output("states", values.states, "float32");
  return inputs;
}

/** @param past of the block, where there is a cache; its tokens come before those of the states */
function treeFeeds(
  inputs: TreeInputs,
  { chunks }: TreeShape,
  { states, tree, range }: TreePassage,
  past: Past | undefined,
): Record<string, Tensor> {
  const { first, end } = range;
  const rows = end - first;
  const masks = [...inputs.windows].map(
    (window) => [maskInput(window), floatTensor(treeMask(tree, window, maskedScore, range), [rows, end])] as const,
  );
  const pasts = [...inputs.past].map(
    ([name, { heads, size }]) =>
      [pastOf(name), past?.get(name) ?? floatTensor(new Float32Array(0), [1, heads, 0, size])] as const,
  );
  const ancestors = Array.from({ length: inputs.ancestors }, (_, index) => index + 1).map(
    (distance) => [ancestorInput(distance), integerTensor(ancestorsOf(tree, distance, range), [rows])] as const,
  );
  return {
    input: floatTensor(states.values, [rows, states.columns]),
    ...(inputs.chunks && { [chunksInput]: integerTensor(treeChunks(tree, chunks)) }),
    ...(inputs.positions && { [positionsInput]: integerTensor(tree.positions.subarray(first, end), [1, rows]) }),
    ...(inputs.keyPositions && { [keyPositionsInput]: integerTensor(tree.positions.subarray(0, end), [1, end]) }),
    ...Object.fromEntries([...pasts, ...ancestors, ...masks]),
  };
}

/** The blocks of a decoder, run on tokens of a tree. */
class TreeBlocks {
  readonly #layout: Layout;
  readonly #parts: TreeForwardParts;
  /** Graph → what it reads. */
  readonly #inputs = new Map<string, TreeInputs>();
  readonly #limits = new SizeLimits();

  constructor(layout: Layout, parts: TreeForwardParts) {
    this.#layout = layout;
    this.#parts = parts;
  }

  get stateWidth(): number {
    const { hiddenSize, stateWidth = hiddenSize } = this.#layout;
    return stateWidth;
  }

  /** Whether the texts of a tree are of those that rotary embeddings with two sets of frequencies take for long. */
  isLong(tree: TokenTree): boolean {
    const { longTexts } = this.#layout;
    return longTexts !== undefined && longestText(tree) > longTexts;
  }

  /** Runs a block; where a graphics processor is full, on fewer tokens at a time: each piece reads on from those before it. */
  async run(passage: TreePassage, given?: OwnCache): Promise<Matrix> {
    const { states, range } = passage;
    const { first: start, end } = range;
    const { columns, values } = states;
    let cached = given;
    const pieces = await this.#limits.inPieces({ first: start, last: end, shape: "tree" }, ({ first, last }) => {
      // a whole tree needs no keys and values of others
      if (last - first < end - start) cached ??= newCache();
      const piece = values.subarray((first - start) * columns, (last - start) * columns);
      const ofPiece = { states: { rows: last - first, columns, values: piece }, range: { first, end: last } };
      return this.#runAtOnce({ ...passage, ...ofPiece }, cached);
    });
    return stackRows(pieces);
  }

  async #runAtOnce(passage: TreePassage, cached: OwnCache | undefined): Promise<Matrix> {
    const { index, states } = passage;
    const { name } = requireBlock(this.#layout.blocks, index, states, 1);
    const shape = this.#shapeOf(passage.tree, cached !== undefined);
    const { graph, inputs } = await this.#graphOf(passage, shape);
    const past = cached?.blocks.get(index);
    const weights = await this.#weightsOf(passage, name, graph);
    const tokenInput = await this.#parts.tokenInputOf(index, states);
    const feeds = { ...treeFeeds(inputs, shape, passage, past), ...tokenInput };
    if (cached !== undefined) return this.#runOn(graph, inputs, passage, { feeds, weights, past, cached });
    const results = await graph.run(feeds, weights);
    return { rows: states.rows, columns: this.stateWidth, values: floatValues(results, "states") };
  }

  /** Runs a block, and keeps in the cache what later tokens read of these. */
  async #runOn(
    graph: WeightedGraph,
    inputs: TreeInputs,
    { index, states, range }: TreePassage,
    {
      feeds,
      weights,
      past,
      cached,
    }: { feeds: Record<string, Tensor>; weights: RoleWeights; past: Past | undefined; cached: OwnCache },
  ): Promise<Matrix> {
    const { spare } = cached;
    const present = [...inputs.past].map(([own, { heads, size }]) => {
      const kind = `${own} ${heads * size}`;
      return { own, kind, tensor: spare.take(kind, [1, heads, range.end, size]) };
    });
    const { rows } = states;
    const columns = this.stateWidth;
    const after = new Float32Array(rows * columns);
    await graph.run(feeds, weights, {
      states: floatTensor(after, [rows, columns]),
      ...Object.fromEntries(present.map(({ own, tensor }) => [presentOf(own), tensor])),
    });
    for (const { own, kind } of present) spare.leave(kind, past?.get(own));
    cached.blocks.set(index, new Map(present.map(({ own, tensor }) => [own, tensor])));
    return { rows, columns, values: after };
  }

  #shapeOf(tree: TokenTree, goesOn: boolean): TreeShape {
    const { longTexts } = this.#layout;
    const long = this.isLong(tree);
    if (longTexts !== undefined && long && mixesLengths(tree, longTexts)) {
      throw new InternalError(`a tree has texts of up to ${longTexts} tokens and longer ones, whose positions differ`);
    }
    return {
      positions: Math.max(fewestPositions, 2 ** Math.ceil(Math.log2(tree.tokens.length))),
      long,
      chunks: goesOn ? 0 : tree.tokens.length < fewestChunked ? 1 : chunksOfTree,
    };
  }

  async #graphOf(
    { index, isPacked }: TreePassage,
    shape: TreeShape,
  ): Promise<{ readonly graph: WeightedGraph; readonly inputs: TreeInputs }> {
    const { graphs, packedGraphs, packedOf } = this.#parts;
    const kind = `${this.#layout.blockKind(index)} ${shape.positions} ${shape.long ? "long" : "short"} ${shape.chunks}`;
    const key = isPacked ? `packed tree block ${index} ${kind}` : `tree block ${kind}`;
    const graph = await (isPacked ? packedGraphs : graphs).get(key, async (builder, weight) => {
      const packed = isPacked ? await packedOf(index) : new Map<string, BlockedWeight>();
      this.#inputs.set(key, buildTreeBlock(this.#layout, index, shape, builder, weight, packed));
    });
    const inputs = this.#inputs.get(key);
    if (inputs === undefined) throw new InternalError(`the inputs of the graph "${key}" are not known`);
    return { graph, inputs };
  }

  #weightsOf({ index, isPacked }: TreePassage, block: string, graph: WeightedGraph): Promise<RoleWeights> {
    const { cache } = this.#parts;
    const roles = this.#layout.blockRoles(index);
    return isPacked
      ? cache.read(`${block}, dense`, new Map([...roles].filter(([role]) => graph.roles.has(role))))
      : cache.read(block, roles);
  }
}

/** The forward pass of a decoder over token trees. */
export function createTreeForward(layout: Layout, parts: TreeForwardParts): TreeForward {
  const { longTexts } = layout;
  const { embed, scoreNext } = parts;
  const blocks = new TreeBlocks(layout, parts);
  const { stateWidth } = blocks;
  return {
    ...(longTexts !== undefined && { longTexts }),
    async embed(tree) {
      checkTree(tree);
      return embed(tree.tokens, tree.positions, longestText(tree));
    },
    async block(index, states, tree, { activations } = {}) {
      const end = tree.tokens.length;
      if (states.rows !== end) throw new InternalError(`${states.rows} states given for a tree of ${end} tokens`);
      return blocks.run({ index, states, tree, range: { first: 0, end }, isPacked: activations === "int8" });
    },
    startCache: newCache,
    async readOn(given, tree, { activations } = {}) {
      const cache = given as OwnCache;
      checkTree(tree);
      const long = blocks.isLong(tree);
      if (cache.length > 0 && long !== cache.long) {
        throw new InternalError(`texts became longer than ${longTexts ?? 0} tokens, whose positions differ; read them again`);
      }
      cache.long = long;
      const longest = longestText(tree);
      const read = new Float32Array((tree.tokens.length - cache.length) * stateWidth);
      let row = 0;
      while (cache.length < tree.tokens.length) {
        const [first, end] = [cache.length, Math.min(tree.tokens.length, cache.length + readAtOnce)];
        let states = await embed(tree.tokens.subarray(first, end), tree.positions.subarray(first, end), longest);
        for (const index of layout.blocks.keys()) {
          states = await blocks.run({ index, states, tree, range: { first, end }, isPacked: activations === "int8" }, cache);
        }
        read.set(states.values, row * stateWidth);
        row += end - first;
        cache.length = end;
      }
      return { rows: row, columns: stateWidth, values: read };
    },
    score(states, next) {
      checkTokens(Int32Array.from(next.flat()), layout.vocabularySize);
      return scoreNext(states, next);
    },
  };
}
