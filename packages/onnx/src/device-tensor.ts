import { InternalError } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";
import type { OrtTensor } from "./engine/runtime.ts";
import { matrixTensor } from "./tensor.ts";
import type { Tensor } from "./tensor.ts";

/** Frees what nobody can reach any more, such as after an error. */
const forgotten = new FinalizationRegistry<OrtTensor>((held) => held.dispose());

/** float32 values in the memory of a graphics processor, until `free` is called. They cannot be read there: see `download`. */
export class DeviceTensor {
  readonly type = "float32";
  readonly dims: readonly number[];
  #held: OrtTensor | undefined;

  /** @param held known to this object alone from now on */
  constructor(held: OrtTensor) {
    this.dims = held.dims;
    this.#held = held;
    forgotten.register(this, held, this);
  }

  /** How many values there are. */
  get size(): number {
    return this.dims.reduce((product, size) => product * size, 1);
  }

  /** @throws {InternalError} where it was freed */
  get held(): OrtTensor {
    if (this.#held === undefined) throw new InternalError("a tensor was freed on the graphics processor before it was read");
    return this.#held;
  }

  /** Frees the memory; a second call does nothing. */
  free(): void {
    forgotten.unregister(this);
    this.#held?.dispose();
    this.#held = undefined;
  }
}

/** A tensor, wherever its values are. */
export type PlacedTensor = Tensor | DeviceTensor;

/** Whether the values are in the memory of a graphics processor. */
export const isOnDevice = (tensor: PlacedTensor): tensor is DeviceTensor => tensor instanceof DeviceTensor;

/** Frees a tensor that is on a graphics processor. */
export function freeTensor(tensor: PlacedTensor): void {
  if (isOnDevice(tensor)) tensor.free();
}

/** A matrix on a graphics processor; the dimensions of the tensor may be others. */
export interface DeviceMatrix {
  readonly rows: number;
  readonly columns: number;
  readonly tensor: DeviceTensor;
}

/** A tensor on a graphics processor as rows of so many columns. */
export const deviceMatrix = (tensor: DeviceTensor, columns: number): DeviceMatrix => ({
  rows: tensor.size / columns,
  columns,
  tensor,
});

/** A matrix of float32, wherever its values are. */
export type PlacedMatrix = Matrix | DeviceMatrix;

/** As a tensor that a session is fed, without a copy. */
export const placedTensor = (matrix: PlacedMatrix): PlacedTensor => ("tensor" in matrix ? matrix.tensor : matrixTensor(matrix));

/** Frees a matrix that is on a graphics processor. */
export function freeMatrix(matrix: PlacedMatrix): void {
  if ("tensor" in matrix) matrix.tensor.free();
}
