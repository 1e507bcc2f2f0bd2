import type { AllocationNeeds, AllocationWork, Grid, OptionTable, OptionValues, StageContext } from "@mbs/contracts";
import type { Model } from "@mbs/models";
import type { AllocationInputs } from "../allocation-method.ts";
import type { SizedChoice, StorageChoices } from "./storage-choices.ts";

/** A tensor whose bits or type is chosen. */
export interface SizedTensor {
  readonly block: string;
  readonly site: string;
  readonly tensor: string;
  readonly rows: number;
  readonly columns: number;
  /** From the smallest on, at least one; as many as of any other tensor. */
  readonly choices: readonly SizedChoice[];
}

/** What bits or types are chosen for. */
export interface BitRequest<Table extends OptionTable = OptionTable> extends Pick<StorageChoices, "trial"> {
  readonly model: Model;
  readonly inputs: AllocationInputs;
  readonly tensors: readonly SizedTensor[];
  /** Tensors that get the same. */
  readonly units: readonly (readonly SizedTensor[])[];
  /** All bits that the tensors may take. */
  readonly limit: number;
  readonly options: OptionValues<Table>;
  readonly context: StageContext;
}

/** What was chosen for one tensor. */
export interface Chosen {
  /** Name of one of its choices. */
  readonly name: string;
  /** Damage that is expected of it, as the method weighs it; 0 where the method measures none. */
  readonly importance: number;
}

/** A way to choose bits or types. */
export interface BitMethod<Table extends OptionTable = OptionTable> {
  readonly name: string;
  readonly source: string;
  readonly summary: string;
  readonly needs: Omit<AllocationNeeds, "chooses">;
  /** Beside those that all of them have. */
  readonly options: Table;
  /** What it computes beside statistics. @param grids that a tensor may get; absent: next to nothing */
  readonly work?: (grids: readonly Grid[], options: OptionValues<Table>) => AllocationWork;
  /** Tensor → what was chosen. */
  choose(request: BitRequest<Table>): Promise<ReadonlyMap<string, Chosen>>;
}

/** Keeps the literal types of a method's declaration. */
export function defineBitMethod<const Table extends OptionTable>(method: BitMethod<Table>): BitMethod<Table> {
  return method;
}
