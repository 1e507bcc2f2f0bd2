import { at, BadDataError, InternalError } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";
import { findNonfinite } from "@mbs/numbers";
import type { PlacedMatrix } from "@mbs/onnx";

/** The stream of a decoder, which the head reads. */
export const hiddenStream = "hidden";

/** The stream of the encoder of an encoder-decoder. */
export const encoderStream = "encoder";

/** States of equally long segments stacked in the rows, by stream. */
export type StreamStates = ReadonlyMap<string, Matrix>;

/** The same, wherever the values are. */
export type PlacedStates = ReadonlyMap<string, PlacedMatrix>;

/** The states of one stream. @throws {InternalError} where there are none */
export function statesOf<Kind extends PlacedMatrix>(states: ReadonlyMap<string, Kind>, stream: string): Kind {
  const found = states.get(stream);
  if (found === undefined) throw new InternalError(`there are no states of stream ${stream}`, { stream });
  return found;
}

/** The tokens of one stream of a text. @throws {InternalError} where there are none */
export function tokensOf(inputs: ReadonlyMap<string, Int32Array>, stream: string): Int32Array {
  const found = inputs.get(stream);
  if (found === undefined) throw new InternalError(`a text has no tokens of stream ${stream}`, { stream });
  return found;
}

/** The states that the head reads. */
export const headStates = <Kind extends PlacedMatrix>(states: ReadonlyMap<string, Kind>): Kind => statesOf(states, hiddenStream);

/** Where states were computed, and of which segments. */
export interface StatesOrigin {
  /** "embedding", "h.2", "h.2 mlp-down". */
  readonly made: string;
  /** Names of the equally long segments that are stacked in the rows: "segment 3 of en". */
  readonly segments: readonly string[];
  /** Tokens of the segments, where a site reads some of them only. */
  readonly tokens?: number;
}

/**
 * Refuses a matrix that was computed and is not finite: whatever is computed from it would silently be NaN.
 *
 * One pass over the values: for the states of a block 1024 wide 0.5% of the time that the block takes.
 *
 * @throws {BadDataError} naming segment, token and channel of the first NaN or Inf
 */
export function requireFiniteRows({ made, segments, tokens }: StatesOrigin, { rows, columns, values }: Matrix): void {
  const wrong = findNonfinite(values);
  if (wrong < 0) return;
  const row = Math.floor(wrong / columns);
  const length = rows / segments.length;
  // it is unknown which tokens an expert's rows belong to
  const isPart = tokens !== undefined && rows !== tokens;
  const where = isPart ? segments.join(" or ") : `${at(segments, Math.floor(row / length))}, token ${row % length}`;
  throw new BadDataError(
    `${made}: ${values[wrong]} in ${where}, channel ${wrong % columns}; a weight is broken or too large: take the model, or the layers given for the block, from their source again`,
    { made, channel: wrong % columns },
  );
}

/** The same for all streams of the segments, each named. */
export function requireFiniteStreams(made: string, states: StreamStates, segments: readonly string[]): void {
  for (const [stream, matrix] of states) requireFiniteRows({ made: `${made}, stream ${stream}`, segments }, matrix);
}
