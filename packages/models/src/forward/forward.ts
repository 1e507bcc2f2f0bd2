import { at, splitKept } from "@mbs/contracts";
import { floatTensor, floatValues, integerTensor } from "@mbs/onnx";
import type { Matrix } from "@mbs/contracts";
import type { Layout } from "../architectures/layout.ts";
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import type { WeightReader } from "../checkpoint/weight-reader.ts";
import type { Forward, ForwardOptions } from "../folder/model.ts";
import { createRowGraph } from "../graph/sequence-graph.ts";
import { distinctTokens } from "./distinct-tokens.ts";
import { checkTokens, noPredictions } from "./forward-checks.ts";
import type { Predictions } from "./forward-checks.ts";
import { GraphCache } from "./graph-cache.ts";
import { withHalvedBatches } from "./halved-batches.ts";
import { Head, predictingRows } from "./head.ts";
import { createBlockForward, packedReader } from "./block-forward.ts";
import { WeightCache } from "./block-weights.ts";
import { hiddenStream } from "./streams.ts";
import { checkPositions } from "./text-length.ts";
import { createTokenInput } from "./token-input.ts";
import { createTreeForward } from "./tree-forward.ts";

/** Tokens that an encoder, or an encoder-decoder, has around a text. */
const endTokens = 2;

interface EmbedOptions {
  /** Default that of a decoder. */
  readonly stream?: string;
  readonly changes?: ReadonlyMap<number, Float32Array>;
}

/**
 * The forward pass of any architecture: its layout builds the graphs, the checkpoint gives the weights.
 *
 * @param layout with tensor names as in the checkpoint
 */
export function createForward(
  layout: Layout,
  checkpoint: Checkpoint,
  readWeight: WeightReader,
  { weights = splitKept().weights, ...machine }: ForwardOptions,
): Forward {
  const graphs = new GraphCache(machine);
  // on the processor, which looks the rows up: they are few, and sines of positions are exact there
  const embeddingGraphs = new GraphCache({ threads: machine.threads });
  // they hold a block's weights: those of the block that runs, whole batches and the last one. On the processor: a graphics
  // processor rounds activations otherwise, by as much as int8 itself costs
  const packedGraphs = new GraphCache({ threads: machine.threads }, 2);
  const cache = new WeightCache(readWeight, weights);
  const { hiddenSize, stateWidth = hiddenSize, vocabularySize } = layout;
  const tokenInputOf = createTokenInput(layout, checkpoint, { graphs, cache });
  const head = new Head(layout, readWeight, graphs, () => cache.read("head", layout.headRoles));

  /**
   * @param positions of the tokens in their texts
   * @param longest tokens of the longest text
   * @param options.changes of rows of the embedding, by token
   */
  const embed = async (
    tokens: Int32Array,
    positions: Int32Array,
    longest: number,
    { stream = hiddenStream, changes }: EmbedOptions = {},
  ): Promise<Matrix> => {
    checkTokens(tokens, vocabularySize);
    const isPlain = layout.encoder === undefined && layout.sourceTarget === undefined;
    checkPositions(isPlain ? longest : longest - endTokens, layout.positionLimit);
    const { values, indices } = distinctTokens(tokens);
    const rows = await checkpoint.readRowsF32(layout.embedding, values);
    for (const [index, token] of values.entries()) {
      for (const [column, change] of changes?.get(token)?.entries() ?? []) {
        const place = index * hiddenSize + column;
        rows[place] = at(rows, place) + change;
      }
    }
    const embedded = new Float32Array(tokens.length * hiddenSize);
    for (const [token, index] of indices.entries()) {
      embedded.set(rows.subarray(index * hiddenSize, (index + 1) * hiddenSize), token * hiddenSize);
    }
    const graph = await embeddingGraphs.get(`embed ${stream}`, (builder, weight) => {
      const input = builder.input("rows", "float32", ["T", hiddenSize]);
      const positions = builder.input("positions", "int64", ["T"]);
      const ids = builder.input("tokens", "int64", ["T"]);
      const graph = { ...createRowGraph(builder, weight), stream, positions: () => positions, tokens: () => ids };
      builder.output("states", layout.buildEmbed(graph, input), "float32");
    });
    const weights = await cache.read("embed", layout.embedRoles);
    const feeds = {
      rows: floatTensor(embedded, [tokens.length, hiddenSize]),
      positions: integerTensor(positions),
      tokens: integerTensor(tokens),
    };
    const results = await graph.run(feeds, weights);
    return { rows: tokens.length, columns: stateWidth, values: floatValues(results, "states") };
  };
  const walks = createBlockForward(layout, checkpoint, { device: machine.device, graphs, packedGraphs, cache, tokenInputOf });

  const embedSegments = (tokens: Int32Array, batch: number, options: EmbedOptions): Promise<Matrix> => {
    const length = tokens.length / batch;
    return embed(
      tokens,
      tokens.map((_, row) => row % length),
      length,
      options,
    );
  };

  const predictions: Predictions = {
    score(states, tokens, batch = 1) {
      checkTokens(tokens, vocabularySize);
      return head.scoreNext(...predictingRows(states, tokens, batch));
    },
    logits: (states) => head.logits(states),
    logitsByTokens: (states, options) => head.logitsByTokens(states, options),
  };

  return {
    embed: (tokens, batch = 1, stream = hiddenStream) => embedSegments(tokens, batch, { stream }),
    ...walks,
    ...(machine.device === "webgpu" && withHalvedBatches(walks)),

    ...(layout.encoder === undefined ? predictions : noPredictions),
    ...(layout.sourceTarget === undefined &&
      layout.encoder === undefined && {
        embeddings: {
          embedChanged: (tokens, changes) => embedSegments(tokens, 1, { changes }),
          headInput: (states) => head.headInput(states),
          spread: (states) => head.spread(states),
          freeHead: () => head.freeHead(),
        },
        ...(layout.keepsState !== true && {
          tree: createTreeForward(layout, {
            graphs,
            packedGraphs,
            cache,
            packedOf: packedReader(layout, checkpoint),
            tokenInputOf,
            embed,
            scoreNext: (states, next) => head.scoreNext(states, next),
          }),
        }),
      }),
    heldBytes: () => cache.heldBytes() + head.heldBytes(),
    async close() {
      cache.clear();
      await graphs.close();
      await embeddingGraphs.close();
      await packedGraphs.close();
    },
  };
}
