import { embeddingsBlock } from "@mbs/artifacts";
import type { ArtifactStream, Grid, Solver, StageContext } from "@mbs/contracts";
import { fittingType, typeMixNamed } from "@mbs/gguf";
import { ggufTypes, type Model } from "@mbs/models";
import { askedGrid, fittingGrid, embeddingsValues, type GridValues } from "@mbs/solvers";
import { ggufTensorsOf } from "../gguf-types.ts";
import { readAllocated } from "./allocated.ts";
import type { ChoiceOf, TensorPlace } from "./tensor-choice.ts";

/** What each tensor gets. */
export interface Assignment {
  /** A line says of each tensor that stays as it is. */
  readonly choiceOf: ChoiceOf;
  /** Whether embedding and head are among what is compressed. */
  readonly hasEmbeddings: boolean;
  /** What layers' metadata say of the solver's options, once these are complete. */
  readonly settings: (options: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>>;
}

/** What tensors get by options alone. */
type ChoiceByOptions = (place: TensorPlace) => Grid | undefined;

/** The types that a type mix gives the tensors of a model, by their names in it. */
async function typesOfMix(model: Model, name: string): Promise<ReadonlyMap<string, string>> {
  const plan = await ggufTensorsOf(model, "leave out --type-mix");
  const types = ggufTypes(plan, typeMixNamed(name));
  return new Map(
    plan.tensors.flatMap(({ name: written, sources }) => {
      const type = types.get(written);
      return type === undefined ? [] : sources.map((source) => [source, type.name] as const);
    }),
  );
}

/** One grid for all tensors, of which types fall back, or those of a type mix. @throws {FailedPreconditionError} where GGUF does not hold the model */
async function byOptions(model: Model, solver: Solver, values: GridValues, warn: StageContext["warn"]): Promise<ChoiceByOptions> {
  const { typeMix } = values;
  const wanted = askedGrid(solver, values);
  if (typeMix !== undefined) {
    const types = await typesOfMix(model, typeMix);
    return ({ tensor, columns }) => {
      const type = types.get(tensor);
      return type === undefined ? undefined : fittingGrid({ kind: "blocks", type }, columns);
    };
  }
  const told = new Set<number>();
  return ({ columns }) => {
    const grid = fittingGrid(wanted, columns);
    if (wanted.kind === "blocks" && grid?.kind === "blocks" && grid.type !== wanted.type && !told.has(columns)) {
      warn(`weights of ${columns} columns take ${grid.type}, since these are no whole blocks of ${wanted.type}`);
      told.add(columns);
    }
    return grid;
  };
}

/** Says of each tensor once that it stays as it is. */
function plainTeller(warn: StageContext["warn"]) {
  const told = new Set<string>();
  return ({ tensor, columns }: TensorPlace): void => {
    if (told.has(tensor)) return;
    told.add(tensor);
    warn(
      // all types of blocks have one of 32 columns that they fall back to
      fittingType("Q8_0", columns).plain === undefined
        ? `the type mix does not round tensor ${tensor}; it stays uncompressed`
        : `tensor ${tensor} has ${columns} columns, no whole blocks; it stays uncompressed`,
    );
  };
}

/**
 * What each tensor gets: by the options of a solver, or by an allocation beside them.
 *
 * @param options of the solver as they were given, parsed
 * @param embeddings what embedding and head get: value of --embeddings
 * @throws {UsageError} where the solver cannot follow the allocation, or an option says what it says
 * @throws {BadDataError} where the allocation is of another model, or its rows are not the model's
 */
export async function readAssignment(
  model: Model,
  { solver, options }: { readonly solver: Solver; readonly options: Readonly<Record<string, unknown>> },
  allocation: ArtifactStream | undefined,
  embeddings: string,
  warn: StageContext["warn"],
): Promise<Assignment> {
  const allocated = allocation && (await readAllocated(allocation, model, solver, options));
  const values = allocated?.values ?? options;
  const ofEmbeddings = embeddingsValues(solver, values, embeddings);
  if (embeddings === "on" && allocated?.note !== undefined) warn(allocated.note);
  const ofBlocks = allocated?.gridOf === undefined ? await byOptions(model, solver, values, warn) : allocated.gridOf;
  // the types of a type mix are those of all tensors, and an allocation may be of all
  const isSame = ofEmbeddings === values && (allocated?.gridOf === undefined || allocated.hasEmbeddings === true);
  const ofRows = isSame || ofEmbeddings === undefined ? ofBlocks : await byOptions(model, solver, ofEmbeddings, warn);
  const tellPlain = plainTeller(warn);
  return {
    hasEmbeddings: ofEmbeddings !== undefined,
    settings: allocated?.settings ?? ((completed) => completed),
    choiceOf(place) {
      const grid = place.block === embeddingsBlock ? ofRows(place) : ofBlocks(place);
      if (grid === undefined) {
        tellPlain(place);
        return undefined;
      }
      const sparsity = place.block === embeddingsBlock ? undefined : allocated?.sparsityOf?.(place);
      return { grid, ...(sparsity !== undefined && { sparsity }) };
    },
  };
}
