import { at, InternalError } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";
import { holdTensor, isOnDevice, readMatrix, SizeLimits } from "@mbs/onnx";
import type { PlacedMatrix, PlacedTensor, Range, Tensor } from "@mbs/onnx";
import type { BlockCut, BlockOptions, Forward, GivenWeights } from "../folder/model.ts";
import { freeCut } from "./block-walk.ts";
import { stackRows } from "./stack-rows.ts";
import { statesOf } from "./streams.ts";
import type { StreamStates } from "./streams.ts";

type Walks = Pick<Forward, "block" | "beginBlock" | "nextSites" | "endBlock">;

/** Begins the names of what a block was given, which a cut keeps so that halves of its segments can start over. */
const givenMark = "given ";

const sizeOf = ({ first, last }: Range): number => last - first;

/** Rows of some of the equally long segments that are stacked in a matrix. */
function segmentsOf({ rows, columns, values }: Matrix, batch: number, { first, last }: Range): Matrix {
  const size = values.length / batch;
  return { rows: (rows / batch) * (last - first), columns, values: values.subarray(first * size, last * size) };
}

/** The same of a tensor whose first axis has the segments, or all their tokens. */
function segmentsOfTensor(tensor: PlacedTensor, batch: number, range: Range): Tensor {
  if (isOnDevice(tensor)) throw new InternalError("what a block was given is on a graphics processor");
  const [rows = 0, ...others] = tensor.dims;
  const size = tensor.data.length / batch;
  const dims = [(rows / batch) * sizeOf(range), ...others];
  // a part of an array is an array of the same type
  return { ...tensor, dims, data: tensor.data.subarray(range.first * size, range.last * size) } as Tensor;
}

/** Rows under each other, by name: of several pieces in memory, of one wherever it is. */
async function stackByName(parts: readonly ReadonlyMap<string, PlacedMatrix>[]): Promise<ReadonlyMap<string, PlacedMatrix>> {
  const first = at(parts, 0);
  if (parts.length === 1) return first;
  const stacked = new Map<string, Matrix>();
  for (const name of first.keys()) {
    const own: Matrix[] = [];
    for (const part of parts) own.push(await readMatrix(statesOf(part, name)));
    stacked.set(name, stackRows(own));
  }
  return stacked;
}

/** What a cut's block was given, by its own names. */
const givenOf = ({ live }: BlockCut): readonly (readonly [string, PlacedTensor])[] =>
  [...live].flatMap(([name, tensor]) => (name.startsWith(givenMark) ? [[name.slice(givenMark.length), tensor] as const] : []));

/** A cut that keeps what its block was given, if it can be halved. */
function keepGiven(cut: BlockCut, given: Iterable<readonly [string, PlacedTensor]>): BlockCut {
  if (cut.batch === 1) return cut;
  return { ...cut, live: new Map([...cut.live, ...[...given].map(([name, tensor]) => [givenMark + name, tensor] as const)]) };
}

/** Some segments of a cut, at the beginning of the block. */
function startOver(cut: BlockCut, range: Range): BlockCut {
  const given = givenOf(cut).map(([name, tensor]) => [name, segmentsOfTensor(tensor, cut.batch, range)] as const);
  const begun = { ...cut, batch: sizeOf(range), round: 0, passed: new Set<string>(), used: new Set<string>() };
  return keepGiven({ ...begun, live: new Map(given) }, given);
}

function joinCuts(cuts: readonly BlockCut[]): BlockCut {
  const first = at(cuts, 0);
  if (cuts.length === 1) return first;
  const pieces = cuts.map(({ batch }) => batch);
  return {
    ...first,
    batch: pieces.reduce((sum, batch) => sum + batch, 0),
    pieces,
    live: new Map(cuts.flatMap(({ live }, place) => [...live].map(([name, tensor]) => [`${place} ${name}`, tensor] as const))),
    used: new Set(cuts.flatMap(({ used }) => [...used])),
  };
}

function piecesOf({ pieces, ...cut }: BlockCut): readonly BlockCut[] {
  if (pieces === undefined) return [cut];
  return pieces.map((batch, place) => {
    const mark = `${place} `;
    const own = [...cut.live].filter(([name]) => name.startsWith(mark));
    return { ...cut, batch, live: new Map(own.map(([name, tensor]) => [name.slice(mark.length), tensor])) };
  });
}

/** Does work on a cut. Where that fails in the end, nothing is left of the cut, and of those that took its place. */
const orFree = async <Made>(cut: BlockCut, work: (begun: BlockCut[]) => Promise<Made>): Promise<Made> => {
  const begun: BlockCut[] = [];
  try {
    return await work(begun);
  } catch (error) {
    for (const own of [cut, ...begun]) freeCut(own);
    throw error;
  }
};

/**
 * Runs blocks on fewer segments at a time where a graphics processor is full, down to one. Values are those of whole batches,
 * except for rounding. What was too large once is not tried again.
 *
 * @param hold copies what a block is given there, which several of its parts read
 */
export function withHalvedBatches(forward: Walks, hold: (tensor: PlacedTensor) => Promise<PlacedTensor> = holdTensor): Walks {
  const limits = new SizeLimits();

  /** @param length tokens of a segment: blocks have one limit, in tokens */
  const inPieces = <Made>(batch: number, length: number, work: (segments: Range) => Promise<Made>): Promise<Made[]> =>
    limits.inPieces({ first: 0, last: batch, shape: "block", weight: length }, work);

  /** @param begun takes the cut after it */
  const nextCut = async (cut: BlockCut, weights: GivenWeights | undefined, begun: BlockCut[]) => {
    const next = await forward.nextSites(cut, weights);
    begun.push(next.cut);
    return { ...next, cut: keepGiven(next.cut, givenOf(cut)) };
  };

  /** Goes on from a cut. Halves start over at the beginning of the block. */
  const goOn = async <Made>(
    cut: BlockCut,
    weights: GivenWeights | undefined,
    begun: BlockCut[],
    work: (cut: BlockCut) => Promise<Made>,
  ): Promise<Made[]> => {
    const made: Made[] = [];
    for (const piece of piecesOf(cut)) {
      const some = await inPieces(piece.batch, Math.max(...piece.lengths), async (range) => {
        const isWhole = sizeOf(range) === piece.batch;
        // what it has on a graphics processor is made again, of fewer segments
        if (!isWhole) freeCut(piece);
        let own = isWhole ? piece : startOver(piece, range);
        try {
          while (own.round < piece.round) ({ cut: own } = await nextCut(own, weights, begun));
          return await work(own);
        } catch (error) {
          if (!isWhole) freeCut(own);
          throw error;
        }
      });
      made.push(...some);
    }
    return made;
  };

  return {
    async block(index, states, options: BlockOptions = {}) {
      const { batch = 1, reads = new Map<string, Matrix>() } = options;
      const made = await inPieces(batch, states.rows / batch, (range) => {
        if (sizeOf(range) === batch) return forward.block(index, states, options);
        const own: StreamStates = new Map([...reads].map(([name, read]) => [name, segmentsOf(read, batch, range)]));
        return forward.block(index, segmentsOf(states, batch, range), { ...options, batch: sizeOf(range), reads: own });
      });
      return stackRows(made);
    },
    async beginBlock(index, states, inputs) {
      const cut = await forward.beginBlock(index, states, inputs);
      const live = new Map<string, PlacedTensor>();
      return orFree({ ...cut, live }, async () => {
        for (const [name, tensor] of cut.live) live.set(name, await hold(tensor));
        return keepGiven({ ...cut, live }, cut.live);
      });
    },
    nextSites: (cut, weights) =>
      orFree(cut, async (begun) => {
        const made = await goOn(cut, weights, begun, (piece) => nextCut(piece, weights, begun));
        return {
          cut: joinCuts(made.map((piece) => piece.cut)),
          inputs: await stackByName(made.map(({ inputs }) => inputs)),
          residuals: await stackByName(made.map(({ residuals }) => residuals)),
        };
      }),
    endBlock: (cut, weights) =>
      orFree(cut, async (begun) => stackRows(await goOn(cut, weights, begun, (piece) => forward.endBlock(piece, weights)))),
  };
}
