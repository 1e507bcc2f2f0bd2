import { at, BadDataError, InternalError } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";
import { createSession, floatTensor, floatValues, GraphBuilder, integerTensor } from "@mbs/onnx";
import type { GraphFile, Session, Tensor } from "@mbs/onnx";
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import type { Forward, ForwardOptions, BlockInputs, BlockOptions } from "../folder/model.ts";
import { checkTokens, noPredictions, requireBlock, scoredRows } from "../forward/forward-checks.ts";
import type { Predictions } from "../forward/forward-checks.ts";
import { logitsAtATime } from "../forward/head.ts";
import { cutAtSites, liveValue, siteRounds } from "../forward/block-parts.ts";
import type { BlockGraph, BlockPart } from "../forward/block-parts.ts";
import { createBlockWalk } from "../forward/block-walk.ts";
import type { PartValues } from "../forward/block-walk.ts";
import { withHalvedBatches } from "../forward/halved-batches.ts";
import type { GraphOutline } from "./graph-outline.ts";
import { createGraphRunner } from "./graph-runner.ts";
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

/** The forward pass of a graph, by blocks: each block is the part of the graph between two states. */
export function createGraphForward(
  graph: GraphFile,
  outline: GraphOutline,
  checkpoint: Checkpoint,
  shape: GraphShape,
  options: ForwardOptions,
): Forward {
  const { hiddenSize, vocabularySize, contextLength } = shape;
  const { blocks, output: logits } = outline;
  const runner = createGraphRunner(graph, outline, checkpoint, shape, options);
  const losses = createLogitLosses(options.threads);
  const { start } = at(blocks, 0);
  const { end } = at(blocks, blocks.length - 1);

  /**
   * What the graph made of a value, as rows of so many columns.
   *
   * @param rows how many are wanted; absent where any whole number of them will do
   * @throws {BadDataError} where it made something else: the graph is not what it was taken for
   */
  const rowsOf = (made: Readonly<Record<string, Tensor>>, name: string, columns: number, rows?: number): Matrix => {
    const tensor = made[name];
    if (tensor === undefined) throw new InternalError(`${graph.path}: ${name} was not computed`);
    const { type, dims, data } = tensor;
    const found = data.length / columns;
    if (type === "float32" && (rows === undefined ? Number.isInteger(found) : found === rows))
      return { rows: found, columns, values: floatValues(made, name) };
    throw new BadDataError(
      `${graph.path}: ${name} comes out as ${type} of [${dims.join(", ")}], where float32 of [${rows ?? "rows"}, ${columns}] is wanted; export the model again`,
      { file: graph.path, value: name },
    );
  };

  /** A graph with a table of positions fails on longer texts: that is no fault of the file. */
  const within = async <Made>(length: number, work: Promise<Made>): Promise<Made> => {
    try {
      return await work;
    } catch (cause) {
      if (contextLength === undefined || length <= contextLength || !(cause instanceof BadDataError)) throw cause;
      throw new BadDataError(
        `${graph.path} cannot read texts of ${length} tokens: it was made for ${contextLength}; take --length ${contextLength} or less`,
        { file: graph.path, length, contextLength },
        { cause },
      );
    }
  };

  const runAfter = (request: PartRequest): Promise<PartValues<Tensor>> => within(request.batch.length, runner.after(request));

  const logitsOf = async (states: Matrix): Promise<Float32Array> => {
    const batch = { batch: 1, length: states.rows };
    const given = new Map([[end, await runner.asStates(states.values, batch)]]);
    const { made } = await runner.after({ key: "head", states: end, given, batch, outputs: [logits] });
    return rowsOf(made, logits, vocabularySize, states.rows).values;
  };

  const parts = new Map<number, readonly BlockPart[]>();
  const walk = createBlockWalk({
    blocks,
    stateWidth: hiddenSize,
    hiddenSize,
    rowsOf,
    partsOf({ block: index, round, batch, lengths, live }) {
      const { start: before, end: after } = at(blocks, index);
      const known = parts.get(index) ?? cutAtSites({ ...blockGraph(graph, outline, index), end: after });
      parts.set(index, known);
      return {
        parts: known,
        end: after,
        run: (part, weights) =>
          runAfter({
            key: `block ${index} part ${round}`,
            states: before,
            given: new Map(part.reads.map((name) => [name, liveValue(live, name)])),
            batch: { batch, length: at(lengths, 0) },
            outputs: part.makes,
            weights,
          }),
      };
    },
  });

  const rowsAtATime = Math.max(1, Math.floor(logitsAtATime / vocabularySize));
  const slices = function* (states: Matrix): Generator<{ first: number; part: Matrix }> {
    for (let first = 0; first < states.rows; first += rowsAtATime) {
      const last = Math.min(states.rows, first + rowsAtATime);
      const values = states.values.subarray(first * hiddenSize, last * hiddenSize);
      yield { first, part: { rows: last - first, columns: hiddenSize, values } };
    }
  };

  const predictions: Predictions = {
    async score(states, tokens, batch = 1) {
      checkTokens(tokens, vocabularySize);
      const { targets, predicts } = scoredRows(states.rows, tokens, batch);
      const found: number[] = [];
      for (const { first, part } of slices(states)) {
        const nats = await losses.of(await logitsOf(part), targets.subarray(first, first + part.rows));
        nats.forEach((loss, at) => predicts(first + at) && found.push(loss));
      }
      return Float64Array.from(found);
    },

    async logits(states) {
      const all = new Float32Array(states.rows * vocabularySize);
      for (const { first, part } of slices(states)) all.set(await logitsOf(part), first * vocabularySize);
      return { rows: states.rows, columns: vocabularySize, values: all };
    },
  };

  const walks: Pick<Forward, "block" | "beginBlock" | "nextSites" | "endBlock"> = {
    async block(index, states, { batch = 1, weights }: BlockOptions = {}) {
      const { start: before, end: after } = requireBlock(blocks, index, states, batch);
      const length = states.rows / batch;
      const texts = { batch, length };
      const { made } = await runAfter({
        key: `block ${index}`,
        states: before,
        given: new Map([[before, await runner.asStates(states.values, texts)]]),
        batch: texts,
        outputs: [after],
        weights,
      });
      return rowsOf(made, after, hiddenSize, states.rows);
    },

    async beginBlock(index, states, { batch = 1 }: BlockInputs = {}) {
      const { start: before } = requireBlock(blocks, index, states, batch);
      const length = states.rows / batch;
      const live = new Map([[before, await runner.asStates(states.values, { batch, length })]]);
      return { block: index, round: 0, passed: new Set<string>(), batch, lengths: [length], live, used: new Set<string>() };
    },

    ...walk,
  };

  return {
    async embed(tokens, batch = 1) {
      checkTokens(tokens, vocabularySize);
      const length = tokens.length / batch;
      const states = await within(length, runner.embed(tokens, { batch, length }));
      return rowsOf({ [start]: states }, start, hiddenSize, tokens.length);
    },

    ...(options.device === "webgpu" ? withHalvedBatches(walks) : walks),

    ...(outline.isEncoder ? noPredictions : predictions),
    heldBytes: () => runner.heldBytes(),
    async close() {
      await losses.close();
      await runner.close();
    },
  };
}
