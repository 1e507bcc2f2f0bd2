import { BadDataError, type ArtifactStream } from "@mbs/contracts";
import { bitLimits } from "@mbs/numbers";
import { parseMetadata, type AllocationMetadata } from "../kinds/metadata.ts";
import type { StepAllocation, TensorAllocation } from "../kinds/records.ts";
import { encodeRows, readRows, type Items, type Row } from "../rows/rows.ts";
import { checkedRows } from "./checks/checked-rows.ts";

/** Allocated sparsity → artifact, a row a step or a tensor. */
export const encodeAllocation = (items: Items<StepAllocation>, metadata: AllocationMetadata): ArtifactStream =>
  encodeRows("allocation", metadata, stepRows(items));

/** Allocated bits or types → artifact, a row a tensor. */
export const encodeBitAllocation = (items: Items<TensorAllocation>, metadata: AllocationMetadata): ArtifactStream =>
  encodeRows("allocation", metadata, tensorRows(items));

async function* stepRows(items: Items<StepAllocation>): AsyncGenerator<Row<"allocation">> {
  for await (const item of items) yield { tensor: "", ...item, bits: 0, type: "" };
}

async function* tensorRows(items: Items<TensorAllocation>): AsyncGenerator<Row<"allocation">> {
  for await (const item of items) yield { type: "", ...item, sparsity: 0 };
}

/** Whether a row has a tensor or a type; former versions had no such column. */
const isNamed = (name: string | undefined): boolean => name !== undefined && name !== "";

/** How far the mean of the steps may be from the requested sparsity: rounding of float64 sums. */
const roundingOfMean = 1e-6;

/** Bits that a code can have. */
/** @throws {BadDataError} where an allocation has bits and sparsity is wanted, or the reverse */
function requireContent(stream: ArtifactStream, wanted: "sparsity" | "bits"): AllocationMetadata {
  const metadata = parseMetadata("allocation", stream.schema);
  const found = metadata.bitsPerWeight === undefined ? "sparsity" : "bits";
  if (found === wanted) return metadata;
  const what = { sparsity: "the sparsity of steps or tensors", bits: "the bits of tensors" };
  throw new BadDataError(`the allocation has ${what[found]}, not ${what[wanted]}; allocate with another --method`, { found });
}

async function* requireSteps(rows: AsyncIterable<Row<"allocation">>, asked: number): AsyncGenerator<StepAllocation> {
  const seen = new Set<string>();
  let [total, removed] = [0, 0];
  for await (const { step, tensor, parameters, importance, sparsity } of rows) {
    const [what, key] = isNamed(tensor) ? ["tensor", tensor] : ["step", step];
    if (seen.has(`${what} ${key}`)) throw new BadDataError(`allocation: ${what} ${key} comes twice; allocate again`, { step });
    seen.add(`${what} ${key}`);
    total += parameters;
    removed += parameters * sparsity;
    yield { step, ...(isNamed(tensor) && { tensor }), parameters, importance, sparsity };
  }
  if (total === 0 || Math.abs(removed / total - asked) <= roundingOfMean) return;
  throw new BadDataError(`allocation: its steps lose ${removed / total} of all weights, not ${asked}; allocate again`, {
    asked,
  });
}

/**
 * The steps or tensors of an allocation, in order.
 *
 * @throws {BadDataError} on allocated bits, a step or tensor that comes twice, invalid numbers, or sparsities whose mean is not the
 *   requested one
 */
export function readAllocation(stream: ArtifactStream): AsyncIterable<StepAllocation> {
  const rows = readRows("allocation", stream);
  const { sparsity: asked } = requireContent(stream, "sparsity");
  const sound = checkedRows(rows, {
    least: { parameters: 1, importance: -Infinity, sparsity: 0 },
    fault: ({ sparsity }) => (sparsity > 1 ? `sparsity is ${sparsity}, above 1` : undefined),
    name: ({ step, tensor }) => `allocation: ${isNamed(tensor) ? `tensor ${tensor}` : `step ${step}`}`,
    remedy: "allocate again",
  });
  return requireSteps(sound, asked);
}

function bitsFault({ tensor, bits, type }: Row<"allocation">): string | undefined {
  if (tensor === "") return "it names no tensor";
  if (isNamed(type)) return bits === 0 ? undefined : `it has ${bits} bits and the type ${type}`;
  const { fewest, most } = bitLimits;
  return bits < fewest || bits > most ? `bits is ${bits}, outside ${fewest} to ${most}` : undefined;
}

async function* requireTensors(rows: AsyncIterable<Row<"allocation">>): AsyncGenerator<TensorAllocation> {
  const seen = new Set<string>();
  for await (const { step, tensor, parameters, importance, bits, type } of rows) {
    if (seen.has(tensor)) throw new BadDataError(`allocation: tensor ${tensor} comes twice; allocate again`, { tensor });
    seen.add(tensor);
    yield { step, tensor, parameters, importance, bits, ...(isNamed(type) && { type }) };
  }
}

/**
 * The tensors of an allocation, in order.
 *
 * @throws {BadDataError} on allocated sparsity, a tensor that comes twice, or invalid numbers
 */
export function readBitAllocation(stream: ArtifactStream): AsyncIterable<TensorAllocation> {
  const rows = readRows("allocation", stream);
  requireContent(stream, "bits");
  const sound = checkedRows(rows, {
    least: { parameters: 1, importance: 0, bits: 0 },
    fault: bitsFault,
    name: ({ step, tensor }) => `allocation: tensor ${tensor} of ${step}`,
    remedy: "allocate again",
  });
  return requireTensors(sound);
}
