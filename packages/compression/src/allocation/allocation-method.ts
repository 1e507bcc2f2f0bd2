import type { ArtifactStream, OptionTable, StageContext } from "@mbs/contracts";
import type { Model } from "@mbs/models";

/** What an allocation is made of. */
export interface AllocationInputs {
  readonly factors: ArtifactStream;
  /** Of each language at the sites of the factors. */
  readonly statistics?: ArtifactStream | undefined;
  /** Texts that the model is run on. */
  readonly segments?: ArtifactStream | undefined;
  /** Whether tensors with NaN or Inf are left out; the model was opened so. */
  readonly allowNonfinite: boolean;
}

/** A way to allocate: sparsity to steps, or bits to tensors. */
export interface AllocationMethod {
  readonly name: string;
  /** Where the method is described. */
  readonly source: string;
  /** A phrase for help. */
  readonly summary: string;
  readonly options: OptionTable;
  /**
   * Makes the allocation. It closes the model, at once or when the artifact has been read.
   *
   * @param model that the factors are of
   * @param raw options; the method parses them by its own table
   */
  allocate(model: Model, inputs: AllocationInputs, raw: unknown, context: StageContext): Promise<ArtifactStream>;
}
