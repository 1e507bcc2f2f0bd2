import { InternalError } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";
import { floatTensor, floatValues, integerTensor } from "@mbs/onnx";
import type { GraphBuilder, Tensor } from "@mbs/onnx";
import type { Layout } from "../architectures/layout.ts";
import type { BlockedWeight } from "../checkpoint/quantised/blocked-weight.ts";
import type { TreeForward } from "../folder/model.ts";
import { withPackedLinears } from "../graph/packed-linear.ts";
import type { WeightInput } from "../graph/sequence-graph.ts";
import { maskedScore } from "../graph/softmax-attention.ts";
import { chunksInput, createTreeSequence, maskInput, positionsInput } from "../graph/tree-sequence.ts";
import type { TreeInputs, TreeShape } from "../graph/tree-sequence.ts";
import { checkTokens, requireBlock } from "./forward-checks.ts";
import type { GraphCache } from "./graph-cache.ts";
import type { WeightCache } from "./block-weights.ts";
import { checkTree, longestText, mixesLengths, treeChunks, treeMask } from "./token-tree.ts";
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

/** What a forward pass over trees shares with the one over whole texts. */
export interface TreeForwardParts {
  readonly graphs: GraphCache;
  readonly packedGraphs: GraphCache;
  readonly cache: WeightCache;
  readonly packedOf: (index: number) => Promise<ReadonlyMap<string, BlockedWeight>>;
  readonly embed: (tokens: Int32Array, positions: Int32Array, longest: number) => Promise<Matrix>;
  readonly scoreNext: TreeForward["score"];
}

/** The forward pass of a decoder over token trees. */
export function createTreeForward(
  layout: Layout,
  { graphs, packedGraphs, cache, packedOf, embed, scoreNext }: TreeForwardParts,
): TreeForward {
  const { blocks, hiddenSize, longTexts } = layout;
  /** Graph → what it reads. */
  const inputsOf = new Map<string, TreeInputs>();

  const shapeOf = (tree: TokenTree): TreeShape => {
    const longest = longestText(tree);
    if (longTexts !== undefined && longest > longTexts && mixesLengths(tree, longTexts)) {
      throw new InternalError(`a tree has texts of up to ${longTexts} tokens and longer ones, whose positions differ`);
    }
    return {
      positions: Math.max(fewestPositions, 2 ** Math.ceil(Math.log2(tree.tokens.length))),
      long: longTexts !== undefined && longest > longTexts,
      chunks: tree.tokens.length < fewestChunked ? 1 : chunksOfTree,
    };
  };
  const build = (
    index: number,
    shape: TreeShape,
    builder: GraphBuilder,
    weight: WeightInput,
    packed: ReadonlyMap<string, BlockedWeight>,
  ): TreeInputs => {
    const inputs: TreeInputs = { positions: false, windows: new Set() };
    const sequence = createTreeSequence(builder, weight, shape, inputs);
    const states = builder.input("input", "float32", ["T", hiddenSize]);
    const made = layout.buildBlock(packed.size === 0 ? sequence : withPackedLinears(sequence, packed), states, index);
    builder.output("states", made.states, "float32");
    return inputs;
  };
  const feedsOf = (key: string, { chunks }: TreeShape, states: Matrix, tree: TokenTree): Record<string, Tensor> => {
    const inputs = inputsOf.get(key);
    if (inputs === undefined) throw new InternalError(`the inputs of the graph "${key}" are not known`);
    const size = tree.tokens.length;
    const masks = [...inputs.windows].map(
      (window) => [maskInput(window), floatTensor(treeMask(tree, window, maskedScore), [size, size])] as const,
    );
    return {
      input: floatTensor(states.values, [size, hiddenSize]),
      [chunksInput]: integerTensor(treeChunks(tree, chunks)),
      ...(inputs.positions && { [positionsInput]: integerTensor(tree.positions, [1, size]) }),
      ...Object.fromEntries(masks),
    };
  };

  return {
    ...(longTexts !== undefined && { longTexts }),
    async embed(tree) {
      checkTree(tree);
      return embed(tree.tokens, tree.positions, longestText(tree));
    },
    async block(index, states, tree, { activations } = {}) {
      const { name } = requireBlock(blocks, index, states, 1);
      if (states.rows !== tree.tokens.length) {
        throw new InternalError(`${states.rows} states given for a tree of ${tree.tokens.length} tokens`);
      }
      const shape = shapeOf(tree);
      const kind = `${layout.blockKind(index)} ${shape.positions} ${shape.long ? "long" : "short"} ${shape.chunks}`;
      const isPacked = activations === "int8";
      const key = isPacked ? `packed tree block ${index} ${kind}` : `tree block ${kind}`;
      const graph = await (isPacked ? packedGraphs : graphs).get(key, async (builder, weight) => {
        const packed = isPacked ? await packedOf(index) : new Map<string, BlockedWeight>();
        inputsOf.set(key, build(index, shape, builder, weight, packed));
      });
      const roles = layout.blockRoles(index);
      const weights = isPacked
        ? await cache.read(`${name}, dense`, new Map([...roles].filter(([role]) => graph.roles.has(role))))
        : await cache.read(name, roles);
      const values = floatValues(await graph.run(feedsOf(key, shape, states, tree), weights), "states");
      return { rows: states.rows, columns: hiddenSize, values };
    },
    score(states, next) {
      checkTokens(Int32Array.from(next.flat()), layout.vocabularySize);
      return scoreNext(states, next);
    },
  };
}
