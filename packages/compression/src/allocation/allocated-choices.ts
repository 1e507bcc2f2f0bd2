import {
  collect,
  parseMetadata,
  readAllocation,
  readBitAllocation,
  type AllocationMetadata,
  type TensorAllocation,
} from "@mbs/artifacts";
import { BadDataError, optionFlag, UsageError, type ArtifactStream, type Option, type Solver } from "@mbs/contracts";
import { gridOf, groupOptions, withoutGroups, type dependentDefaults } from "@mbs/solvers";
import type { Model } from "@mbs/models";
import { requireRowsOf } from "./allocation-check.ts";
import { defaultMixture } from "./bits/bit-options.ts";
import type { GridOf } from "../site/site-weight.ts";
import type { SolverChoice } from "../site/solve-site.ts";

/** An allocation as compress uses it. */
export interface AllocatedChoices {
  /** What the layers' metadata say of it. */
  readonly origin: Readonly<Record<string, unknown>>;
  /**
   * The solver with what was allocated to a tensor: one object for all tensors that have the same.
   *
   * @throws {BadDataError} where the allocation does not have it
   */
  readonly choiceOf: (step: string, tensor: string) => SolverChoice;
  /** What each tensor is rounded to; absent where the allocation does not say. */
  readonly gridOf?: GridOf;
  /** How embedding and head are as the other weights; absent where these have different bits. */
  readonly ofVocabulary?: {
    readonly options: SolverChoice["options"];
    /** What was taken that nobody asked for. */
    readonly note?: string;
  };
}

/** The solver's option that an allocation sets. @throws {UsageError} where it has none, or another value was asked for */
function allocatedOption(name: "sparsity" | "bits" | "grid", { solver, options }: SolverChoice, unit: string): Option {
  const option = Object.hasOwn(solver.options, name) ? solver.options[name] : undefined;
  if (option !== undefined && (name !== "sparsity" || options["pattern"] === undefined)) return option;
  const [sets, has] = name === "grid" ? ["GGUF type", "no GGUF types"] : [name, `no ${name}`];
  const what = option === undefined ? `solver ${solver.name} has ${has}` : "a pattern is the same everywhere";
  throw new UsageError(`compress: --allocation sets the ${sets} of each ${unit}, and ${what}; leave it out`, {
    option: "--allocation",
  });
}

/** @throws {UsageError} where a solver that prunes would also round, to bits that were chosen for rounding alone */
function refusePruning({ solver }: SolverChoice): void {
  if (!Object.hasOwn(solver.options, "sparsity")) return;
  throw new UsageError(
    `compress: the allocation has bits of each tensor, chosen for rounding alone, and solver ${solver.name} prunes; allocate with --sparsity, or take a solver that only rounds, such as gptq`,
    { option: "--allocation" },
  );
}

/** The method with its options, as its command line has them. */
const methodWords = ({ method, options }: AllocationMetadata): string =>
  [method, ...Object.entries(options).map(([name, value]) => `${optionFlag(name)} ${String(value)}`)].join(" ");

const noStep = (step: string): BadDataError =>
  new BadDataError(`the allocation has no step ${step}; allocate from all steps`, { step });

/** A step, or one of its tensors. */
const keyOf = (step: string, tensor = ""): string => JSON.stringify([step, tensor]);

async function readSparsity(
  allocation: ArtifactStream,
  model: Model,
  given: SolverChoice,
  choose: (options: SolverChoice["options"]) => SolverChoice,
): Promise<AllocatedChoices> {
  const metadata = parseMetadata("allocation", allocation.schema);
  const { sparsity } = metadata;
  const option = allocatedOption("sparsity", given, "step or tensor");
  const asked = Number(given.options["sparsity"]);
  // hosts fill defaults in, so a default says nothing
  if (asked !== sparsity && asked !== option.default) {
    throw new UsageError(
      `compress: --sparsity ${asked} is not the ${sparsity} that was allocated; leave it out or allocate again`,
      { option: "--sparsity" },
    );
  }
  const rows = await collect(readAllocation(allocation));
  requireRowsOf(model, rows);
  // one choice for all that have the same, which are then solved together
  const bySparsity = new Map(rows.map((row) => [row.sparsity, choose({ ...given.options, sparsity: row.sparsity })]));
  const found = new Map(rows.map((row) => [keyOf(row.step, row.tensor), bySparsity.get(row.sparsity)]));
  const steps = new Set(rows.map(({ step }) => step));
  return {
    origin: { ...choose(given.options).options, sparsity, allocation: methodWords(metadata) },
    choiceOf(step, tensor) {
      const own = found.get(keyOf(step, tensor)) ?? found.get(keyOf(step));
      if (own !== undefined) return own;
      if (!steps.has(step)) throw noStep(step);
      throw new BadDataError(`the allocation has no sparsity for ${tensor}; allocate again`, { step, tensor });
    },
    ofVocabulary: { options: given.options },
  };
}

/** @throws {UsageError} where the damage was measured on other grids than those that are asked for */
function checkGrid({ options }: AllocationMetadata, given: SolverChoice): void {
  for (const name of ["groupSize", "symmetric", "minZeroPoint"]) {
    if (!Object.hasOwn(given.solver.options, name)) continue;
    const [measured, asked] = [options[name], given.options[name]].map((value) =>
      value === undefined ? "left open" : JSON.stringify(value),
    );
    if (measured === asked) continue;
    const flag = optionFlag(name);
    throw new UsageError(
      `compress: ${flag} is ${asked ?? ""}, and bits were allocated with ${measured ?? ""}; give both the same`,
      {
        option: flag,
      },
    );
  }
}

/** What was allocated to each tensor, which steps those are of, and how to say that one is missing. */
function lookUp(rows: readonly TensorAllocation[], ownOf: (row: TensorAllocation) => SolverChoice): AllocatedChoices["choiceOf"] {
  const tensors = new Map(rows.map((row) => [row.tensor, ownOf(row)]));
  const steps = new Set(rows.map(({ step }) => step));
  return (step, tensor) => {
    const own = tensors.get(tensor);
    if (own !== undefined) return own;
    if (!steps.has(step)) throw noStep(step);
    throw new BadDataError(`the allocation has no bits for ${tensor}; allocate again`, { step, tensor });
  };
}

/** @throws {UsageError} where an option was given that types exclude, or a type for all */
function refuseGroups({ solver, options }: SolverChoice): void {
  for (const name of [...groupOptions(solver), "grid"]) {
    const value = options[name];
    if (value === undefined || value === solver.options[name]?.default || (name === "staticGroups" && value === false)) continue;
    const flag = optionFlag(name);
    throw new UsageError(`compress: the allocation has a GGUF type for each tensor; leave out ${flag} ${JSON.stringify(value)}`, {
      option: flag,
    });
  }
}

function readTypes(
  rows: readonly TensorAllocation[],
  metadata: AllocationMetadata,
  given: SolverChoice,
  choose: (options: SolverChoice["options"]) => SolverChoice,
): AllocatedChoices {
  allocatedOption("grid", given, "tensor");
  refuseGroups(given);
  const others = withoutGroups(given.solver, given.options);
  const types = new Map(rows.map(({ tensor, type = "" }) => [tensor, type]));
  const byType = new Map([...new Set(types.values())].map((name) => [name, choose({ ...others, grid: name })]));
  const { bitsPerWeight } = metadata;
  const { mixture } = metadata.options;
  return {
    origin: { ...others, bitsPerWeight, allocation: methodWords(metadata) },
    choiceOf: lookUp(rows, ({ type = "" }) => byType.get(type) ?? choose({ ...others, grid: type })),
    // rows that no blocks hold were not allocated
    gridOf: (_step, tensor, columns) => gridOf(given.solver, { grid: types.get(tensor) ?? "Q8_0" }, columns),
    // an allocation chooses no type for them
    ofVocabulary: {
      options: { ...others, mixture: mixture ?? defaultMixture },
      ...(mixture === undefined && {
        note: `embedding and head take the types of ${defaultMixture}, since allocate was given no --mixture; write the file with this --type, or allocate with another`,
      }),
    },
  };
}

async function readBits(
  allocation: ArtifactStream,
  model: Model,
  given: SolverChoice,
  choose: (options: SolverChoice["options"]) => SolverChoice,
): Promise<AllocatedChoices> {
  const metadata = parseMetadata("allocation", allocation.schema);
  const rows = await collect(readBitAllocation(allocation));
  requireRowsOf(model, rows);
  if (rows.some(({ type }) => type !== undefined)) return readTypes(rows, metadata, given, choose);
  const option = allocatedOption("bits", given, "tensor");
  refusePruning(given);
  const asked = given.options["bits"];
  if (asked !== undefined && asked !== option.default) {
    throw new UsageError(
      `compress: --bits ${JSON.stringify(asked)} is for all tensors, and the allocation has bits for each; leave it out`,
      {
        option: "--bits",
      },
    );
  }
  const blocks = ["grid", "mixture"].find((name) => given.options[name] !== undefined);
  if (blocks !== undefined) {
    const flag = optionFlag(blocks);
    throw new UsageError(
      `compress: ${flag} names types of GGUF with their own bits, and the allocation has others; leave one of them out`,
      { option: flag },
    );
  }
  checkGrid(metadata, given);
  const byBits = new Map([...new Set(rows.map(({ bits }) => bits))].map((bits) => [bits, choose({ ...given.options, bits })]));
  const weights = rows.reduce((sum, { parameters }) => sum + parameters, 0);
  const codes = rows.reduce((sum, { parameters, bits }) => sum + parameters * bits, 0);
  const { bitsPerWeight } = metadata;
  // the mean of the codes in place of the bits that none has
  const bits = Number((codes / Math.max(weights, 1)).toFixed(3));
  const choiceOf = lookUp(rows, ({ bits: own }) => byBits.get(own) ?? choose({ ...given.options, bits: own }));
  return {
    origin: { ...given.options, bits, bitsPerWeight, allocation: methodWords(metadata) },
    choiceOf,
    gridOf: (step, tensor, columns) => gridOf(given.solver, choiceOf(step, tensor).options, columns),
  };
}

/**
 * Reads an allocation: of sparsity for a solver that prunes, of bits or GGUF types for one that quantises.
 *
 * @param given with the options as they were given
 * @param complete makes an option set complete: by those that follow from others
 * @throws {UsageError} where the solver or its options do not have what was allocated, or another value than the allocation
 * @throws {BadDataError} where the allocation is of another model, or its rows are not the model's
 */
export async function readAllocated(
  allocation: ArtifactStream,
  model: Model,
  given: SolverChoice,
  complete: (solver: Solver, options: SolverChoice["options"]) => ReturnType<typeof dependentDefaults>,
): Promise<AllocatedChoices> {
  const { model: allocated, bitsPerWeight } = parseMetadata("allocation", allocation.schema);
  if (allocated !== model.address) {
    throw new BadDataError(`the allocation is of model ${allocated}, the factors are of ${model.address}; allocate again`, {
      expected: model.address,
      found: allocated,
    });
  }
  const { solver } = given;
  const choose = (options: SolverChoice["options"]): SolverChoice => ({
    solver,
    options: { ...options, ...complete(solver, options) },
  });
  return bitsPerWeight === undefined
    ? readSparsity(allocation, model, given, choose)
    : readBits(allocation, model, given, choose);
}
