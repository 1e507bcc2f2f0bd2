import { at } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";
import { rowsAt } from "@mbs/models";
import type { Forward, Model, EmbeddingsForward } from "@mbs/models";
import { seededGenerator } from "@mbs/numbers";

/** Size of the change that is tried, as a share of the root mean square of the rows: small, so that the loss is quadratic in it. */
const share = 0.03;

/** Positions whose logits are compared: of a vocabulary of 250,000 they take 64 MB. */
const comparedPositions = 64;

/** A change of the rows of all tokens, each value `size` up or down. */
function randomChanges(tokens: Int32Array, width: number, size: number): ReadonlyMap<number, Float32Array> {
  const random = seededGenerator(0);
  const distinct = [...new Set(tokens)].sort((a, b) => a - b);
  return new Map(
    distinct.map((token) => [token, Float32Array.from({ length: width }, () => (random.next() < 0 ? -size : size))]),
  );
}

function logSum(values: Float32Array): number {
  const most = values.reduce((largest, value) => Math.max(largest, value), -Infinity);
  return most + Math.log(values.reduce((sum, value) => sum + Math.exp(value - most), 0));
}

/** KL divergence of the distributions that two rows of logits give, in nats. */
function divergence(logits: Float32Array, others: Float32Array): number {
  const [sum, other] = [logSum(logits), logSum(others)];
  return logits.reduce((total, logit, token) => {
    const log = logit - sum;
    return total + Math.exp(log) * (log - (at(others, token) - other));
  }, 0);
}

/**
 * What an error of the embedding costs: p where an error Δ of the rows that are read costs ½·p·|Δ|² nats a token.
 *
 * Measured by the dense model on one text: the KL divergence of its predictions from those with a random change of the rows.
 * Blocks make of such an error what no matrix at hand says, and it reaches all later positions.
 *
 * @param tokens of the text
 */
export async function embeddingPrice(
  model: Pick<Model, "blocks" | "hiddenSize" | "checkpoint">,
  embedding: string,
  { forward, embeddings }: { readonly forward: Forward; readonly embeddings: EmbeddingsForward },
  tokens: Int32Array,
): Promise<number> {
  const { blocks, hiddenSize: width } = model;
  const rows = await model.checkpoint.readRowsF32(embedding, [...new Set(tokens)]);
  const size = share * Math.sqrt(rows.reduce((sum, value) => sum + value * value, 0) / rows.length);
  const stride = Math.max(1, Math.floor(tokens.length / comparedPositions));
  const compared = Array.from({ length: Math.min(comparedPositions, tokens.length) }, (_, index) => index * stride);
  const logitsFrom = async (embedded: Matrix): Promise<Float32Array> => {
    let states = embedded;
    for (const block of blocks.keys()) states = await forward.block(block, states);
    return (await forward.logits(rowsAt(states, compared))).values;
  };
  const logits = await logitsFrom(await forward.embed(tokens));
  const changed = await logitsFrom(await embeddings.embedChanged(tokens, randomChanges(tokens, width, size)));
  const length = logits.length / compared.length;
  const total = compared.reduce((sum, _, row) => {
    const [start, end] = [row * length, (row + 1) * length];
    return sum + divergence(logits.subarray(start, end), changed.subarray(start, end));
  }, 0);
  return Math.max(0, (2 * total) / compared.length / (size * size * width));
}
