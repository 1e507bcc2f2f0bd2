import { InternalError } from "./errors.ts";

/**
 * The element at an index that the caller knows to be there.
 *
 * @throws {InternalError} where it is not: a fault of the program, never of its input
 */
export function at<T>(values: ArrayLike<T>, index: number): T {
  const value = values[index];
  if (value === undefined)
    throw new InternalError(`no element ${index} among ${values.length}`, { index, length: values.length });
  return value;
}
