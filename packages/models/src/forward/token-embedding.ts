import { at } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";
import { floatTensor, floatValues, integerTensor } from "@mbs/onnx";
import type { Layout } from "../architectures/layout.ts";
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { createRowGraph } from "../graph/sequence-graph.ts";
import type { WeightCache } from "./block-weights.ts";
import { distinctTokens } from "./distinct-tokens.ts";
import { checkTokens } from "./forward-checks.ts";
import { GraphCache } from "./graph-cache.ts";
import type { WeightedGraph } from "./graph-cache.ts";
import { hiddenStream } from "./streams.ts";
import { checkPositions } from "./text-length.ts";

/** Tokens that an encoder, or an encoder-decoder, has around a text. */
const endTokens = 2;

interface EmbedOptions {
  /** Default that of a decoder. */
  readonly stream?: string;
  /** Of rows of the embedding, by token. */
  readonly changes?: ReadonlyMap<number, Float32Array>;
}

/** The states before the first block. */
export class TokenEmbedding {
  readonly #layout: Layout;
  readonly #checkpoint: Checkpoint;
  readonly #cache: WeightCache;
  readonly #graphs: GraphCache;

  constructor(layout: Layout, checkpoint: Checkpoint, cache: WeightCache, threads: number) {
    this.#layout = layout;
    this.#checkpoint = checkpoint;
    this.#cache = cache;
    // on the processor, which looks the rows up: they are few, and sines of positions are exact there
    this.#graphs = new GraphCache({ threads });
  }

  /**
   * @param positions of the tokens in their texts
   * @param longest tokens of the longest text
   */
  async embed(
    tokens: Int32Array,
    positions: Int32Array,
    longest: number,
    { stream = hiddenStream, changes }: EmbedOptions = {},
  ): Promise<Matrix> {
    const { hiddenSize, stateWidth = hiddenSize, vocabularySize, positionLimit, encoder, sourceTarget } = this.#layout;
    checkTokens(tokens, vocabularySize);
    const isPlain = encoder === undefined && sourceTarget === undefined;
    checkPositions(isPlain ? longest : longest - endTokens, positionLimit);
    const embedded = await this.#readRows(tokens, changes);
    const graph = await this.#graphOf(stream);
    const weights = await this.#cache.read("embed", this.#layout.embedRoles);
    const feeds = {
      rows: floatTensor(embedded, [tokens.length, hiddenSize]),
      positions: integerTensor(positions),
      tokens: integerTensor(tokens),
    };
    const results = await graph.run(feeds, weights);
    return { rows: tokens.length, columns: stateWidth, values: floatValues(results, "states") };
  }

  /** The same of texts of one length, one behind the other. */
  embedSegments(tokens: Int32Array, batch: number, options: EmbedOptions): Promise<Matrix> {
    const length = tokens.length / batch;
    return this.embed(
      tokens,
      tokens.map((_, row) => row % length),
      length,
      options,
    );
  }

  async close(): Promise<void> {
    await this.#graphs.close();
  }

  /** The rows of the embedding, each read once. */
  async #readRows(tokens: Int32Array, changes: EmbedOptions["changes"]): Promise<Float32Array> {
    const { hiddenSize, embedding } = this.#layout;
    const { values, indices } = distinctTokens(tokens);
    const rows = await this.#checkpoint.readRowsF32(embedding, values);
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
    return embedded;
  }

  #graphOf(stream: string): Promise<WeightedGraph> {
    return this.#graphs.get(`embed ${stream}`, (builder, weight) => {
      const input = builder.input("rows", "float32", ["T", this.#layout.hiddenSize]);
      const positions = builder.input("positions", "int64", ["T"]);
      const ids = builder.input("tokens", "int64", ["T"]);
      const graph = { ...createRowGraph(builder, weight), stream, positions: () => positions, tokens: () => ids };
      builder.output("states", this.#layout.buildEmbed(graph, input), "float32");
    });
  }
}
