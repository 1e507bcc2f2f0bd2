import type { AllocationInputs } from "../allocation-method.ts";
import type { AllocationNeeds, OptionTable, OptionValues, StageContext } from "@mbs/contracts";
import type { Model } from "@mbs/models";
import type { CodeGrid } from "./bit-budget.ts";

/** A tensor that bits are chosen for. */
export interface SizedTensor {
  readonly step: string;
  readonly site: string;
  readonly tensor: string;
  readonly rows: number;
  readonly columns: number;
  /** Bits → all bits that it takes with them, scales and zero points included; from the fewest bits on. */
  readonly sizes: ReadonlyMap<number, number>;
}

/** What bits are chosen for. */
export interface BitRequest<Table extends OptionTable = OptionTable> {
  readonly model: Model;
  readonly inputs: AllocationInputs;
  readonly tensors: readonly SizedTensor[];
  /** Tensors that get the same bits. */
  readonly units: readonly (readonly SizedTensor[])[];
  /** All bits that the tensors may take. */
  readonly limit: number;
  /** The grid of so many bits. */
  readonly gridOf: (bits: number) => CodeGrid & { readonly minZeroPoint: number | undefined };
  readonly options: OptionValues<Table>;
  readonly context: StageContext;
}

/** What was chosen for one tensor. */
export interface ChosenBits {
  readonly bits: number;
  /** Damage that is expected of it, as the method weighs it; 0 where the method measures none. */
  readonly importance: number;
}

/** A way to choose bits. */
export interface BitMethod<Table extends OptionTable = OptionTable> {
  readonly name: string;
  readonly source: string;
  readonly summary: string;
  readonly needs: Omit<AllocationNeeds, "chooses">;
  /** Beside those that all of them have. */
  readonly options: Table;
  /** Tensor → its bits. */
  choose(request: BitRequest<Table>): Promise<ReadonlyMap<string, ChosenBits>>;
}

/** Keeps the literal types of a method's declaration. */
export function defineBitMethod<const Table extends OptionTable>(method: BitMethod<Table>): BitMethod<Table> {
  return method;
}
