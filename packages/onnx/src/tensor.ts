import { at, InternalError } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";

/** The array that holds each tensor type: float16 as its bits, bool as 0 and 1. */
export interface TensorArrays {
  float32: Float32Array;
  float64: Float64Array;
  float16: Uint16Array;
  int64: BigInt64Array;
  int32: Int32Array;
  uint8: Uint8Array;
  bool: Uint8Array;
}

export type TensorType = keyof TensorArrays;

interface TensorOf<T extends TensorType> {
  readonly type: T;
  readonly dims: readonly number[];
  /** Row-major, length the product of dims. */
  readonly data: TensorArrays[T];
  /** Whether the values never change: a graphics processor then keeps a copy of them for later runs. */
  readonly isConstant?: true;
}

/** A tensor on its way in or out of a session. */
export type Tensor = { [T in TensorType]: TensorOf<T> }[TensorType];

/** What a weight file can hold: JavaScript has no array of all of these, a graph casts them. */
export type ElementType = TensorType | "bfloat16" | "int8" | "int16" | "uint16" | "uint32" | "uint64" | "int4" | "uint4";

const arrays: { readonly [T in TensorType]: new (buffer: ArrayBuffer) => TensorArrays[T] } = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  int64: BigInt64Array,
  int32: Int32Array,
  uint8: Uint8Array,
  bool: Uint8Array,
};

/** A tensor of the bytes that its array had, without a copy. */
export const tensorOfBytes = (type: TensorType, dims: readonly number[], bytes: ArrayBuffer): Tensor =>
  // the type and its array belong together by the table above
  ({ type, dims, data: new arrays[type](bytes) }) as Tensor;

/** Numbers of ONNX's TensorProto.DataType. */
export const elementTypeNumbers: Readonly<Record<ElementType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
  bfloat16: 16,
  uint4: 21,
  int4: 22,
};

/** The type of a number of TensorProto.DataType; undefined for those that are not used here. */
export const elementTypeOf = (number: number): ElementType | undefined =>
  (Object.keys(elementTypeNumbers) as ElementType[]).find((type) => elementTypeNumbers[type] === number);

/** A float32 tensor, without a copy. */
export const floatTensor = (data: Float32Array, dims: readonly number[]): Tensor => ({ type: "float32", dims, data });

/** The same of values that never change, such as weights. The array itself is what they are known by, and not a view of it. */
export const constantTensor = (data: Float32Array, dims: readonly number[]): Tensor => ({
  ...floatTensor(data, dims),
  isConstant: true,
});

/** A matrix as a float32 tensor, without a copy. */
export const matrixTensor = ({ rows, columns, values }: Matrix): Tensor => floatTensor(values, [rows, columns]);

/** An int64 tensor from whole numbers. */
export const integerTensor = (values: ArrayLike<number>, dims: readonly number[] = [values.length]): Tensor => ({
  type: "int64",
  dims,
  data: BigInt64Array.from({ length: values.length }, (_, index) => BigInt(at(values, index))),
});

/**
 * The values of a float32 tensor that a session handed back.
 *
 * @throws {InternalError} when it is absent or of another type
 */
export function floatValues(tensors: Readonly<Record<string, Tensor>>, name: string): Float32Array {
  const tensor = tensors[name];
  if (tensor?.type !== "float32") {
    throw new InternalError(`the graph returned ${tensor ? tensor.type : "nothing"} for "${name}" where float32 was expected`, {
      tensor: name,
    });
  }
  return tensor.data;
}
