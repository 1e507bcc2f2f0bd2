import {
  BadDataError,
  UsageError,
  type AllocationNeeds,
  type AllocationWork,
  type ArtifactStream,
  type OptionTable,
  type StageContext,
} from "@mbs/contracts";
import type { Model } from "@mbs/models";

/** What an allocation is made of. */
export interface AllocationInputs {
  /** Absent where the method reads none. */
  readonly factors?: ArtifactStream | undefined;
  /** Of each language at the sites of the factors. */
  readonly statistics?: ArtifactStream | undefined;
  /** Texts that the model is run on. */
  readonly segments?: ArtifactStream | undefined;
  /** Whether tensors with NaN or Inf are left out; the model was opened so. */
  readonly allowNonfinite: boolean;
}

/** @throws {UsageError} where there are none */
export function requireFactors({ factors }: AllocationInputs): ArtifactStream {
  if (factors === undefined) throw new UsageError("allocate: give it factors");
  return factors;
}

/** A way to allocate: sparsity to blocks, or bits to tensors. */
export interface AllocationMethod {
  readonly name: string;
  /** Where the method is described. */
  readonly source: string;
  /** A phrase for help. */
  readonly summary: string;
  readonly needs: AllocationNeeds;
  /** Beside those of the stage. */
  readonly options: OptionTable;
  /** What it computes beside statistics, with these options; absent where that is nothing to speak of. */
  readonly work?: (raw: unknown) => AllocationWork;
  /**
   * Refuses, from shapes and tokenizer alone, a size that no choice keeps to; absent where the method has no size.
   *
   * @param raw options, as for `allocate`
   * @param isTrimmedLater whether rows of embedding and head may still go, so that only the allocated weights count
   * @throws {UsageError} where the smallest choices take more
   */
  readonly checkSize?: (model: Model, raw: unknown, state: { readonly isTrimmedLater: boolean }) => Promise<void>;
  /**
   * Makes the allocation. It closes the model, at once or when the artifact has been read.
   *
   * @param model that the factors are of
   * @param raw options; the method parses them by its own table
   */
  allocate(model: Model, inputs: AllocationInputs, raw: unknown, context: StageContext): Promise<ArtifactStream>;
}

/** For a tensor of which the factors say nothing. */
export const lacksSite = (tensor: string): BadDataError =>
  new BadDataError(`${tensor}: the factors have none of its site; factor all blocks`, { tensor });

/** One name for the sites of all experts of a block, whose weights are treated together: "expert-3-up" is "expert-up". */
export const ofAllExperts = (site: string): string => site.replace(/expert-\d+/, "expert");
