export { createBlas, createDoubleBlas } from "./engine/blas.ts";
export type { BlasOptions, OnnxBlas } from "./engine/blas.ts";
export { createGramKernel } from "./engine/gram.ts";
export type { GramKernel, GramSum } from "./engine/gram.ts";
export { GraphBuilder } from "./graph-builder.ts";
export { changedGraph } from "./rewrite/changed-graph.ts";
export type { GraphChange } from "./rewrite/changed-graph.ts";
export type { Attribute, BuiltNode, BuiltPart, Dimension, ExternalTensor, NodeOptions } from "./graph-builder.ts";
export { takeSessions } from "./engine/pooled-sessions.ts";
export type { Sessions } from "./engine/pooled-sessions.ts";
export { createSession, executionProviders, runtimeVersion } from "./engine/session.ts";
export type { Session, SessionOptions } from "./engine/session.ts";
export { turnTelemetryOff } from "./engine/session.ts";
export { withFlagsOff } from "./rewrite/merged-graph.ts";
export {
  elementTypeNumbers,
  elementTypeOf,
  floatTensor,
  floatValues,
  integerTensor,
  matrixTensor,
  tensorOfBytes,
} from "./tensor.ts";
export type { ElementType, Tensor, TensorArrays, TensorType } from "./tensor.ts";
export type { ByteSource, Span } from "./file/byte-source.ts";
export { nodeText } from "./file/graph-node.ts";
export { readGraphFile } from "./file/graph-reader.ts";
export type { GraphNode } from "./file/graph-node.ts";
export type { GraphFile, GraphTensor, GraphValue } from "./file/graph-file.ts";
export type { Field } from "./file/protobuf-fields.ts";
export { isHalf } from "./rewrite/single-precision.ts";
export { cutSubgraph, isWeight, stoppedValues } from "./rewrite/subgraph.ts";
export type { Subgraph, SubgraphRequest } from "./rewrite/subgraph.ts";
