import {
  collect,
  embeddingsBlock,
  parseMetadata,
  readAllocation,
  readBitAllocation,
  type AllocationMetadata,
  type TensorAllocation,
} from "@mbs/artifacts";
import { BadDataError, optionFlag, UsageError, type ArtifactStream, type Grid, type Option, type Solver } from "@mbs/contracts";
import { fittingType } from "@mbs/gguf";
import type { Model } from "@mbs/models";
import { defaultTypeMix, requireAllocatable, sharedValues, solverOptions, withoutGroups, type GridValues } from "@mbs/solvers";
import { requireRowsOf } from "../allocation/allocation-check.ts";
import type { TensorPlace } from "./tensor-choice.ts";

type Options = Readonly<Record<string, unknown>>;

/** What an allocation says. */
export interface Allocated {
  /** What its tensors are rounded to; absent where it is of sparsity. A tensor that no blocks hold has none. @throws {BadDataError} where it lacks one */
  readonly gridOf?: (place: TensorPlace) => Grid | undefined;
  /** Whether embedding and head are among them. */
  readonly hasEmbeddings?: boolean;
  /** What share of its tensors becomes zero. @throws {BadDataError} where it lacks one */
  readonly sparsityOf?: (place: TensorPlace) => number;
  /** Grid options of all tensors, as far as they have them in common. */
  readonly values: GridValues;
  /** What layers' metadata say instead of the solver's options. */
  readonly settings: (options: Options) => Options;
  /** What embedding and head take that nobody asked for. */
  readonly note?: string;
}

/** The method with its options, as its command line has them. */
const methodWords = ({ method, options }: AllocationMetadata): string =>
  [method, ...Object.entries(options).map(([name, value]) => `${optionFlag(name)} ${String(value)}`)].join(" ");

/** Whether a parsed value may be an option's default: hosts fill defaults in, so that it says nothing. */
const isDefault = ({ kind, default: value, optional = false }: Option, given: unknown): boolean =>
  given === (value ?? (kind === "flag" && !optional ? false : undefined));

/** Options of a solver that were given. */
const givenOptions = (solver: Solver, options: Options): Options =>
  Object.fromEntries(
    Object.entries(solverOptions(solver)).flatMap(([name, option]) =>
      isDefault(option, options[name]) ? [] : [[name, options[name]] as const],
    ),
  );

/** What rows have for a tensor, or for its block. @throws {BadDataError} where they have nothing */
function lookUp<Row extends { readonly block: string; readonly tensor?: string }>(rows: readonly Row[], what: string) {
  const tensors = new Map(rows.map((row) => [row.tensor, row]));
  const blocks = new Map(rows.map((row) => [row.block, row]));
  return ({ block, tensor }: TensorPlace): Row => {
    const ofBlock = blocks.get(block);
    const found = tensors.get(tensor) ?? (ofBlock?.tensor === undefined ? ofBlock : undefined);
    if (found !== undefined) return found;
    if (ofBlock === undefined)
      throw new BadDataError(`the allocation has no block ${block}; allocate from all blocks`, { block });
    throw new BadDataError(`the allocation has no ${what} for ${tensor}; allocate again`, { block, tensor });
  };
}

async function readSparsity(allocation: ArtifactStream, model: Model, solver: Solver, options: Options): Promise<Allocated> {
  const metadata = parseMetadata("allocation", allocation.schema);
  const { sparsity } = metadata;
  requireAllocatable(solver, "sparsity", options);
  const { sparsity: asked = sparsity } = givenOptions(solver, options);
  if (asked !== sparsity) {
    throw new UsageError(
      `compress: --sparsity ${String(asked)} is not the ${sparsity} that was allocated; leave it out or allocate again`,
      { option: "--sparsity" },
    );
  }
  const rows = await collect(readAllocation(allocation));
  requireRowsOf(model, rows);
  const rowOf = lookUp(rows, "sparsity");
  return {
    sparsityOf: (place) => rowOf(place).sparsity,
    values: options,
    settings: (completed) => ({ ...completed, sparsity, allocation: methodWords(metadata) }),
  };
}

/** Bits of the codes, and what their grids have in common. */
function settingsOfGroups(rows: readonly TensorAllocation[], shared: GridValues): GridValues {
  const sum = (valueOf: (row: TensorAllocation) => number): number => rows.reduce((all, row) => all + valueOf(row), 0);
  const codes = sum(({ parameters, grid }) => (grid.kind === "groups" ? parameters * grid.bits : 0));
  const weights = sum(({ parameters }) => parameters);
  // the mean of the codes in place of the bits that none has
  return { ...shared, bits: Number((codes / Math.max(weights, 1)).toFixed(3)) };
}

async function readGrids(allocation: ArtifactStream, model: Model, solver: Solver, options: Options): Promise<Allocated> {
  const metadata = parseMetadata("allocation", allocation.schema);
  const { bitsPerWeight } = metadata;
  const rows = await collect(readBitAllocation(allocation));
  requireRowsOf(model, rows);
  const inBlocks = rows.some(({ grid }) => grid.kind === "blocks");
  requireAllocatable(solver, inBlocks ? "blocks" : "groups", givenOptions(solver, options));
  const values = sharedValues(metadata.options);
  const chosen = inBlocks ? {} : settingsOfGroups(rows, values);
  const rowOf = lookUp(rows, "bits");
  const allocated = new Set(rows.map(({ tensor }) => tensor));
  const hasEmbeddings = rows.some(({ block }) => block === embeddingsBlock);
  return {
    // rows that no blocks hold were not allocated
    gridOf: (place) =>
      inBlocks && !allocated.has(place.tensor) && fittingType("Q8_0", place.columns).plain !== undefined
        ? undefined
        : rowOf(place).grid,
    hasEmbeddings,
    values,
    settings(completed) {
      const own = Object.fromEntries(Object.entries(completed).filter(([name]) => Object.hasOwn(solver.options, name)));
      return { ...(inBlocks ? withoutGroups(solver, own) : own), ...chosen, bitsPerWeight, allocation: methodWords(metadata) };
    },
    ...(inBlocks &&
      !hasEmbeddings &&
      metadata.options["typeMix"] === undefined && {
        note: `embedding and head take the types of ${defaultTypeMix}, since allocate was given no --type-mix; write the file with this --type, or allocate with another`,
      }),
  };
}

/**
 * Reads an allocation: of sparsity for a solver that prunes, of grids for one that rounds.
 *
 * @param options of the solver as they were given, parsed
 * @throws {UsageError} where the solver cannot follow it, or an option says what it says
 * @throws {BadDataError} where the allocation is of another model, or its rows are not the model's
 */
export async function readAllocated(
  allocation: ArtifactStream,
  model: Model,
  solver: Solver,
  options: Options,
): Promise<Allocated> {
  const { model: allocated, bitsPerWeight } = parseMetadata("allocation", allocation.schema);
  if (allocated !== model.address) {
    throw new BadDataError(`the allocation is of model ${allocated}, the factors are of ${model.address}; allocate again`, {
      expected: model.address,
      found: allocated,
    });
  }
  const read = bitsPerWeight === undefined ? readSparsity : readGrids;
  return read(allocation, model, solver, options);
}
