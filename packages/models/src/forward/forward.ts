import { splitKept } from "@mbs/contracts";
import type { Layout } from "../architectures/layout.ts";
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import type { WeightReader } from "../checkpoint/weight-reader.ts";
import type { Forward, ForwardOptions } from "../folder/model.ts";
import { checkTokens, noPredictions } from "./forward-checks.ts";
import type { Predictions } from "./forward-checks.ts";
import { GraphCache } from "./graph-cache.ts";
import { withHalvedBatches } from "./halved-batches.ts";
import { Head, predictingRows } from "./head.ts";
import { createBlockForward, packedReader } from "./block-forward.ts";
import { WeightCache } from "./block-weights.ts";
import { hiddenStream } from "./streams.ts";
import { TokenEmbedding } from "./token-embedding.ts";
import { createTokenInput } from "./token-input.ts";
import { createTreeForward } from "./tree-forward.ts";

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
  // they hold a block's weights: those of the block that runs, whole batches and the last one. On the processor: a graphics
  // processor rounds activations otherwise, by as much as int8 itself costs
  const packedGraphs = new GraphCache({ threads: machine.threads }, 2);
  const cache = new WeightCache(readWeight, weights);
  const { vocabularySize } = layout;
  const tokenInputOf = createTokenInput(layout, checkpoint, { graphs, cache });
  const head = new Head(layout, readWeight, graphs, () => cache.read("head", layout.headRoles));
  const embedding = new TokenEmbedding(layout, checkpoint, cache, machine.threads);
  const walks = createBlockForward(layout, checkpoint, { device: machine.device, graphs, packedGraphs, cache, tokenInputOf });

  const predictions: Predictions = {
    score(states, tokens, batch = 1) {
      checkTokens(tokens, vocabularySize);
      return head.scoreNext(...predictingRows(states, tokens, batch));
    },
    logits: (states) => head.logits(states),
    logitsByTokens: (states, options) => head.logitsByTokens(states, options),
  };

  return {
    embed: (tokens, batch = 1, stream = hiddenStream) => embedding.embedSegments(tokens, batch, { stream }),
    ...walks,
    ...(machine.device === "webgpu" && withHalvedBatches(walks)),

    ...(layout.encoder === undefined ? predictions : noPredictions),
    ...(layout.sourceTarget === undefined &&
      layout.encoder === undefined && {
        embeddings: {
          embedChanged: (tokens, changes) => embedding.embedSegments(tokens, 1, { changes }),
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
            embed: (tokens, positions, longest) => embedding.embed(tokens, positions, longest),
            scoreNext: (states, next) => head.scoreNext(states, next),
          }),
        }),
      }),
    heldBytes: () => cache.heldBytes() + head.heldBytes(),
    async close() {
      cache.clear();
      await graphs.close();
      await embedding.close();
      await packedGraphs.close();
    },
  };
}
