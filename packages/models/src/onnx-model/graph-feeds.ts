import { FailedPreconditionError } from "@mbs/contracts";
import { elementTypeNumbers, floatTensor, integerTensor } from "@mbs/onnx";
import type { Dimension, GraphFile, GraphValue, Tensor } from "@mbs/onnx";

/** Texts of one length, without padding and without a cache of earlier tokens. */
export interface TokenBatch {
  readonly batch: number;
  readonly length: number;
}

const pastName = /^past/;

/**
 * The shape of an empty cache: no keys and values; before a convolution so many zeros as the file says. A few exports have batch and
 * heads in one dimension.
 */
function pastDims(dims: readonly Dimension[], batch: number, heads: number): number[] {
  return dims.map((dim, axis) => {
    if (typeof dim === "number") return dim;
    if (axis > 0) return 0;
    return /head/.test(dim) ? batch * heads : batch;
  });
}

/** The inputs of a model besides its tokens and its cache, by name. */
const known: ReadonlyMap<string, (batch: TokenBatch) => Tensor> = new Map<string, (batch: TokenBatch) => Tensor>([
  ["attention_mask", ({ batch, length }) => integerTensor(new Uint8Array(batch * length).fill(1), [batch, length])],
  [
    "position_ids",
    ({ batch, length }) =>
      integerTensor(
        Int32Array.from({ length: batch * length }, (_, index) => index % length),
        [batch, length],
      ),
  ],
  // a text that stands by itself
  ["token_type_ids", ({ batch, length }) => integerTensor(new Uint8Array(batch * length), [batch, length])],
  ["cache_position", ({ length }) => integerTensor(Int32Array.from({ length }, (_, index) => index))],
  ["use_cache_branch", () => ({ type: "bool", dims: [1], data: Uint8Array.of(0) })],
  ["num_logits_to_keep", () => integerTensor([0], [])],
  ["logits_to_keep", () => integerTensor([0], [])],
]);

/** @throws {FailedPreconditionError} naming an unknown input */
export function checkInputs({ path, inputs }: GraphFile, tokens: string): void {
  const unknown = inputs.find(({ name }) => name !== tokens && !known.has(name) && !pastName.test(name));
  if (unknown === undefined) return;
  const names = [tokens, ...known.keys(), "past_key_values.*", "past_conv.*"].join(", ");
  throw new FailedPreconditionError(`${path} reads ${unknown.name}, which is not supported; supported: ${names}`, {
    file: path,
    input: unknown.name,
  });
}

const zeros = (dims: readonly number[]): Tensor =>
  floatTensor(new Float32Array(dims.reduce((size, side) => size * side, 1)), dims);

/** @param heads attention heads of the model, as far as known */
export function feedOf({ name, type, dims = [] }: GraphValue, batch: TokenBatch, heads: number): Tensor {
  const made = known.get(name)?.(batch) ?? zeros(pastDims(dims, batch.batch, heads));
  if (made.type !== "int64" || type !== elementTypeNumbers.int32) return made;
  return { type: "int32", dims: made.dims, data: Int32Array.from(made.data, Number) };
}

/** Tokens as a graph reads them. */
export const tokensFeed = (tokens: Int32Array, { batch, length }: TokenBatch, { type }: GraphValue): Tensor =>
  type === elementTypeNumbers.int32
    ? { type: "int32", dims: [batch, length], data: tokens }
    : integerTensor(tokens, [batch, length]);
