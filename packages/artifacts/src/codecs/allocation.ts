import { BadDataError, type ArtifactStream, type ZeroPoints } from "@mbs/contracts";
import { bitsIn, ggufGrids, quantisationTypeNamed, typeMixes } from "@mbs/gguf";
import { bitLimits, largestSparsity } from "@mbs/numbers";
import { parseMetadata, type AllocationMetadata } from "../kinds/metadata.ts";
import type { BlockAllocation, TensorAllocation } from "../kinds/records.ts";
import { encodeRows, readRows, type Items, type Row } from "../rows/rows.ts";
import { checkedRows } from "./checks/checked-rows.ts";

/** Allocated sparsity → artifact, a row a block or a tensor. */
export const encodeAllocation = (items: Items<BlockAllocation>, metadata: AllocationMetadata): ArtifactStream =>
  encodeRows("allocation", metadata, blockRows(items));

/** Allocated grids → artifact, a row a tensor. */
export const encodeBitAllocation = (items: Items<TensorAllocation>, metadata: AllocationMetadata): ArtifactStream =>
  encodeRows("allocation", metadata, tensorRows(items));

async function* blockRows(items: Items<BlockAllocation>): AsyncGenerator<Row<"allocation">> {
  for await (const item of items) yield { tensor: "", ...item, ...noGroups, type: "" };
}

async function* tensorRows(items: Items<TensorAllocation>): AsyncGenerator<Row<"allocation">> {
  for await (const { grid, ...item } of items) {
    const { kind: _, ...columns } = grid;
    yield { ...noGroups, type: "", ...item, ...columns, sparsity: 0 };
  }
}

/** Of rows without a grid of groups. */
const noGroups = { bits: 0, groupSize: 0, zeroPoints: "" };

const zeroPointNames = ["middle", "from-one", "any"] as const satisfies readonly ZeroPoints[];

/** How far the mean of the blocks may be from the requested sparsity: rounding of float64 sums. */
const roundingOfMean = 1e-6;

/** Metadata with the bits a weight; 0 for sparsity. @throws {BadDataError} where an allocation has bits and sparsity is wanted, or the reverse */
function requireContent(
  stream: ArtifactStream,
  wanted: "sparsity" | "bits",
): AllocationMetadata & { readonly bitsPerWeight: number } {
  const metadata = parseMetadata("allocation", stream.schema);
  const found = metadata.bitsPerWeight === undefined ? "sparsity" : "bits";
  if (found === wanted) return { ...metadata, bitsPerWeight: metadata.bitsPerWeight ?? 0 };
  const what = { sparsity: "the sparsity of blocks or tensors", bits: "the bits of tensors" };
  throw new BadDataError(`the allocation has ${what[found]}, not ${what[wanted]}; allocate with another --method`, { found });
}

async function* requireBlocks(rows: AsyncIterable<Row<"allocation">>, asked: number): AsyncGenerator<BlockAllocation> {
  const seen = new Set<string>();
  let first: string | undefined;
  let [total, removed] = [0, 0];
  for await (const { block, tensor, parameters, importance, sparsity } of rows) {
    const [what, key] = tensor !== "" ? (["tensor", tensor] as const) : (["block", block] as const);
    first ??= what;
    if (what !== first) {
      throw new BadDataError(`allocation: ${what} ${key} comes among rows of ${first}s; allocate again`, { block });
    }
    if (seen.has(key)) throw new BadDataError(`allocation: ${what} ${key} comes twice; allocate again`, { block });
    seen.add(key);
    total += parameters;
    removed += parameters * sparsity;
    yield { block, ...(tensor !== "" && { tensor }), parameters, importance, sparsity };
  }
  if (total === 0 || Math.abs(removed / total - asked) <= roundingOfMean) return;
  throw new BadDataError(`allocation: its blocks lose ${removed / total} of all weights, not ${asked}; allocate again`, {
    asked,
  });
}

function sparsityFault({ sparsity, bits, type }: Row<"allocation">): string | undefined {
  if (sparsity > largestSparsity) return `sparsity is ${sparsity}, above ${largestSparsity}`;
  if (bits !== 0) return `it has ${bits} bits and a sparsity`;
  return type !== "" ? `it has the type ${JSON.stringify(type)} and a sparsity` : undefined;
}

/**
 * The blocks or tensors of an allocation, in order.
 *
 * @throws {BadDataError} on allocated bits, blocks among tensors, a block or tensor that comes twice, invalid numbers, or
 *   sparsities whose mean is not the requested one
 */
export function readAllocation(stream: ArtifactStream): AsyncIterable<BlockAllocation> {
  const rows = readRows("allocation", stream);
  const { sparsity: asked } = requireContent(stream, "sparsity");
  const sound = checkedRows(rows, {
    least: { parameters: 1, importance: -Infinity, sparsity: 0 },
    fault: sparsityFault,
    name: ({ block, tensor }) => `allocation: ${tensor !== "" ? `tensor ${tensor}` : `block ${block}`}`,
    remedy: "allocate again",
  });
  return requireBlocks(sound, asked);
}

function bitsFault({ tensor, sparsity, bits, groupSize, zeroPoints, type }: Row<"allocation">): string | undefined {
  if (tensor === "") return "it names no tensor";
  if (sparsity !== 0) return `it has the sparsity ${sparsity} beside bits or a type`;
  if (type !== "") {
    if (!ggufGrids.includes(type)) return `type is ${JSON.stringify(type)}, not one of ${ggufGrids.join(", ")}`;
    return bits === 0 && groupSize === 0 && zeroPoints === "" ? undefined : `it has groups of ${bits} bits and the type ${type}`;
  }
  const { fewest, most } = bitLimits;
  if (bits < fewest || bits > most) return `bits is ${bits}, outside ${fewest} to ${most}`;
  const isKnown = zeroPointNames.some((name) => name === zeroPoints);
  return isKnown ? undefined : `zeroPoints is ${JSON.stringify(zeroPoints)}, not one of ${zeroPointNames.join(", ")}`;
}

/** The grid of a row that `bitsFault` finds nothing wrong with. */
const gridOf = ({ bits, groupSize, zeroPoints, type }: Row<"allocation">): TensorAllocation["grid"] =>
  type === "" ? { kind: "groups", bits, groupSize, zeroPoints: zeroPoints as ZeroPoints } : { kind: "blocks", type };

/** Bits a weight of a type, scales and offsets included. */
const bitsOfType = (type: string): number => bitsIn(quantisationTypeNamed(type));

/** @throws {BadDataError} where bits a weight are not those of the types, or fewer than those of the codes alone */
function requireSize(weights: number, taken: number, bitsPerWeight: number, what: "bits" | "types"): void {
  const found = taken / weights;
  const isSound = what === "types" ? Math.abs(found - bitsPerWeight) <= roundingOfMean : found <= bitsPerWeight + roundingOfMean;
  if (isSound) return;
  throw new BadDataError(`allocation: its ${what} take ${found} bits a weight, not ${bitsPerWeight}; allocate again`, {
    bitsPerWeight,
  });
}

async function* requireTensors(rows: AsyncIterable<Row<"allocation">>, bitsPerWeight: number): AsyncGenerator<TensorAllocation> {
  const seen = new Set<string>();
  let first: "bits" | "types" | undefined;
  let [weights, taken] = [0, 0];
  for await (const row of rows) {
    const { block, tensor, parameters, importance } = row;
    const grid = gridOf(row);
    if (seen.has(tensor)) throw new BadDataError(`allocation: tensor ${tensor} comes twice; allocate again`, { tensor });
    seen.add(tensor);
    const what = grid.kind === "blocks" ? "types" : "bits";
    first ??= what;
    if (what !== first) {
      throw new BadDataError(`allocation: tensor ${tensor} of ${block} has ${what}, others have ${first}; allocate again`, {
        tensor,
      });
    }
    weights += parameters;
    taken += parameters * (grid.kind === "blocks" ? bitsOfType(grid.type) : grid.bits);
    yield { block, tensor, parameters, importance, grid };
  }
  if (first !== undefined) requireSize(weights, taken, bitsPerWeight, first);
}

/** @throws {BadDataError} where the method's options name a type mix that there is not */
function requireTypeMix({ options: { typeMix } }: AllocationMetadata): void {
  if (typeMix === undefined || (typeof typeMix === "string" && typeMixes.has(typeMix))) return;
  throw new BadDataError(
    `allocation: type mix is ${JSON.stringify(typeMix)}, not one of ${[...typeMixes.keys()].join(", ")}; allocate again`,
  );
}

/**
 * The tensors of an allocation, in order.
 *
 * @throws {BadDataError} on allocated sparsity, types among bits, a tensor that comes twice, invalid numbers, types that
 *   nothing is rounded to, a type mix that there is not, or another size than that of the rows
 */
export function readBitAllocation(stream: ArtifactStream): AsyncIterable<TensorAllocation> {
  const rows = readRows("allocation", stream);
  const metadata = requireContent(stream, "bits");
  requireTypeMix(metadata);
  const sound = checkedRows(rows, {
    least: { parameters: 1, importance: 0, bits: 0, groupSize: 0 },
    fault: bitsFault,
    name: ({ block, tensor }) => `allocation: tensor ${tensor} of ${block}`,
    remedy: "allocate again",
  });
  return requireTensors(sound, metadata.bitsPerWeight);
}
