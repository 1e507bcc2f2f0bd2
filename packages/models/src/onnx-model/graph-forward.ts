import { at, BadDataError, InternalError } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";
import { createSession, floatTensor, floatValues, GraphBuilder, integerTensor } from "@mbs/onnx";
import type { GraphFile, Session, Tensor } from "@mbs/onnx";
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import type { BlockCut, BlockInputs, BlockOptions, Forward, ForwardOptions } from "../folder/model.ts";
import { checkTokens, noPredictions, requireBlock, scoredRows } from "../forward/forward-checks.ts";
import type { Predictions } from "../forward/forward-checks.ts";
import { logitsAtATime } from "../forward/head.ts";
import { cutAtSites, liveValue, siteRounds } from "../forward/block-parts.ts";
import type { BlockGraph, BlockPart } from "../forward/block-parts.ts";
import { createBlockWalk } from "../forward/block-walk.ts";
import type { PartValues, RunnableParts } from "../forward/block-walk.ts";
import { withHalvedBatches } from "../forward/halved-batches.ts";
import type { TokenBatch } from "./graph-feeds.ts";
import type { GraphOutline } from "./graph-outline.ts";
import { GraphRunner } from "./graph-runner.ts";
import type { GraphShape, PartRequest } from "./graph-runner.ts";

/** Losses of tokens given logits. */
interface LogitLosses {
  /**
   * @param logits [rows, vocabulary]
   * @param next the token after each row
   * @returns nats, one a row
   */
  of(logits: Float32Array, next: Int32Array): Promise<Float32Array>;
  close(): Promise<void>;
}

function lossGraph(): Uint8Array {
  const graph = new GraphBuilder("losses");
  const shares = graph.node("LogSoftmax", [graph.input("logits", "float32", ["T", "V"])], { attributes: { axis: -1 } });
  const next = graph.input("next", "int64", ["T", 1]);
  const logs = graph.node("GatherElements", [shares, next], { attributes: { axis: 1 } });
  graph.output("losses", graph.node("Neg", [logs]), "float32");
  return graph.build();
}

function createLogitLosses(threads: number): LogitLosses {
  let session: Promise<Session> | undefined;
  return {
    async of(logits, next) {
      session ??= createSession(lossGraph(), { threads });
      const { length } = next;
      const feeds = { logits: floatTensor(logits, [length, logits.length / length]), next: integerTensor(next, [length, 1]) };
      return floatValues(await (await session).run(feeds), "losses");
    },
    async close() {
      await (await session)?.release();
      session = undefined;
    },
  };
}

/** A block in the graph that it is a part of. */
function blockGraph({ nodes }: GraphFile, { blocks }: GraphOutline, index: number): Omit<BlockGraph, "end"> {
  const { start, sites } = at(blocks, index);
  return {
    nodes,
    given: [start],
    sites: sites.map(({ name, value, weights }) => ({ name, value, weights: weights.map(({ tensor }) => tensor) })),
  };
}

/** The sites of a block in rounds. */
export const graphRounds = (graph: GraphFile, outline: GraphOutline, index: number): readonly (readonly string[])[] =>
  siteRounds(blockGraph(graph, outline, index));

/** A graph that is run by blocks: each block is the part of the graph between two states. */
class BlockedGraph {
  readonly graph: GraphFile;
  readonly outline: GraphOutline;
  readonly shape: GraphShape;
  readonly runner: GraphRunner;
  readonly #parts = new Map<number, readonly BlockPart[]>();

  constructor(graph: GraphFile, outline: GraphOutline, checkpoint: Checkpoint, shape: GraphShape, options: ForwardOptions) {
    this.graph = graph;
    this.outline = outline;
    this.shape = shape;
    this.runner = new GraphRunner(graph, outline, checkpoint, shape, options);
  }

  /**
   * What the graph made of a value, as rows of so many columns.
   *
   * @param rows how many are wanted; absent where any whole number of them will do
   * @throws {BadDataError} where it made something else: the graph is not what it was taken for
   */
  rowsOf(made: Readonly<Record<string, Tensor>>, name: string, columns: number, rows?: number): Matrix {
    const { path } = this.graph;
    const tensor = made[name];
    if (tensor === undefined) throw new InternalError(`${path}: ${name} was not computed`);
    const { type, dims, data } = tensor;
    const rowCount = data.length / columns;
    if (type === "float32" && (rows === undefined ? Number.isInteger(rowCount) : rowCount === rows))
      return { rows: rowCount, columns, values: floatValues(made, name) };
    throw new BadDataError(
      `${path}: ${name} comes out as ${type} of [${dims.join(", ")}], where float32 of [${rows ?? "rows"}, ${columns}] is wanted; export the model again`,
      { file: path, value: name },
    );
  }

  async embed(tokens: Int32Array, batch: TokenBatch): Promise<Matrix> {
    const { start } = at(this.outline.blocks, 0);
    const states = await this.#within(batch.length, this.runner.embed(tokens, batch));
    return this.rowsOf({ [start]: states }, start, this.shape.hiddenSize, tokens.length);
  }

  runAfter(request: PartRequest): Promise<PartValues<Tensor>> {
    return this.#within(request.batch.length, this.runner.after(request));
  }

  /** @param states after the last block */
  async logits(states: Matrix): Promise<Float32Array> {
    const { blocks, output } = this.outline;
    const { end } = at(blocks, blocks.length - 1);
    const batch = { batch: 1, length: states.rows };
    const given = new Map([[end, await this.runner.asStates(states.values, batch)]]);
    const { made } = await this.runner.after({ key: "head", states: end, given, batch, outputs: [output] });
    return this.rowsOf(made, output, this.shape.vocabularySize, states.rows).values;
  }

  /** The part of a block that a cut has come to. */
  partsOf({ block: index, round, batch, lengths, live }: BlockCut): RunnableParts {
    const { start, end } = at(this.outline.blocks, index);
    const parts = this.#parts.get(index) ?? cutAtSites({ ...blockGraph(this.graph, this.outline, index), end });
    this.#parts.set(index, parts);
    return {
      parts,
      end,
      run: (part, weights) =>
        this.runAfter({
          key: `block ${index} part ${round}`,
          states: start,
          given: new Map(part.reads.map((name) => [name, liveValue(live, name)])),
          batch: { batch, length: at(lengths, 0) },
          outputs: part.makes,
          weights,
        }),
    };
  }

  /** A graph with a table of positions fails on longer texts: that is no fault of the file. */
  async #within<Made>(length: number, work: Promise<Made>): Promise<Made> {
    try {
      return await work;
    } catch (cause) {
      const { contextLength } = this.shape;
      if (contextLength === undefined || length <= contextLength || !(cause instanceof BadDataError)) throw cause;
      const { path } = this.graph;
      throw new BadDataError(
        `${path} cannot read texts of ${length} tokens: it was made for ${contextLength}; take --length ${contextLength} or less`,
        { file: path, length, contextLength },
        { cause },
      );
    }
  }
}

/** What a graph predicts, some rows of logits at a time. */
function graphPredictions(blocked: BlockedGraph, losses: LogitLosses): Predictions {
  const { hiddenSize, vocabularySize } = blocked.shape;
  const rowsAtATime = Math.max(1, Math.floor(logitsAtATime / vocabularySize));
  const slices = function* (states: Matrix): Generator<{ first: number; part: Matrix }> {
    for (let first = 0; first < states.rows; first += rowsAtATime) {
      const last = Math.min(states.rows, first + rowsAtATime);
      const values = states.values.subarray(first * hiddenSize, last * hiddenSize);
      yield { first, part: { rows: last - first, columns: hiddenSize, values } };
    }
  };
  return {
    async score(states, tokens, batch = 1) {
      checkTokens(tokens, vocabularySize);
      const { targets, predicts } = scoredRows(states.rows, tokens, batch);
      const nats: number[] = [];
      for (const { first, part } of slices(states)) {
        const ofRows = await losses.of(await blocked.logits(part), targets.subarray(first, first + part.rows));
        ofRows.forEach((loss, at) => predicts(first + at) && nats.push(loss));
      }
      return Float64Array.from(nats);
    },

    async logits(states) {
      const all = new Float32Array(states.rows * vocabularySize);
      for (const { first, part } of slices(states)) all.set(await blocked.logits(part), first * vocabularySize);
      return { rows: states.rows, columns: vocabularySize, values: all };
    },
  };
}

/** The blocks of a graph, whole and site by site. */
function graphBlocks(blocked: BlockedGraph): Pick<Forward, "block" | "beginBlock" | "nextSites" | "endBlock"> {
  const { runner } = blocked;
  const { blocks } = blocked.outline;
  const { hiddenSize } = blocked.shape;
  return {
    async block(index, states, { batch = 1, weights }: BlockOptions = {}) {
      const { start, end } = requireBlock(blocks, index, states, batch);
      const texts = { batch, length: states.rows / batch };
      const { made } = await blocked.runAfter({
        key: `block ${index}`,
        states: start,
        given: new Map([[start, await runner.asStates(states.values, texts)]]),
        batch: texts,
        outputs: [end],
        weights,
      });
      return blocked.rowsOf(made, end, hiddenSize, states.rows);
    },

    async beginBlock(index, states, { batch = 1 }: BlockInputs = {}) {
      const { start } = requireBlock(blocks, index, states, batch);
      const length = states.rows / batch;
      const live = new Map([[start, await runner.asStates(states.values, { batch, length })]]);
      return { block: index, round: 0, passed: new Set<string>(), batch, lengths: [length], live, used: new Set<string>() };
    },

    ...createBlockWalk({
      blocks,
      stateWidth: hiddenSize,
      hiddenSize,
      rowsOf: (made, name, columns, rows) => blocked.rowsOf(made, name, columns, rows),
      partsOf: (cut) => blocked.partsOf(cut),
    }),
  };
}

/** The forward pass of a graph. */
export function createGraphForward(
  graph: GraphFile,
  outline: GraphOutline,
  checkpoint: Checkpoint,
  shape: GraphShape,
  options: ForwardOptions,
): Forward {
  const blocked = new BlockedGraph(graph, outline, checkpoint, shape, options);
  const losses = createLogitLosses(options.threads);
  const walks = graphBlocks(blocked);
  return {
    async embed(tokens, batch = 1) {
      checkTokens(tokens, shape.vocabularySize);
      return blocked.embed(tokens, { batch, length: tokens.length / batch });
    },

    ...(options.device === "webgpu" ? withHalvedBatches(walks) : walks),

    ...(outline.isEncoder ? noPredictions : graphPredictions(blocked, losses)),
    heldBytes: () => blocked.runner.heldBytes(),
    async close() {
      await losses.close();
      await blocked.runner.close();
    },
  };
}
