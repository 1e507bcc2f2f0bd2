export { createBlas } from "./blas.ts";
export type { OnnxBlas } from "./blas.ts";
export { GraphBuilder } from "./graph-builder.ts";
export type { Attribute, Dimension, NodeOptions } from "./graph-builder.ts";
export { createSession } from "./session.ts";
export type { Session, SessionOptions } from "./session.ts";
export { floatTensor, floatValues, integerTensor } from "./tensor.ts";
export type { Tensor, TensorArrays, TensorType } from "./tensor.ts";
