export { createBlas, createDoubleBlas } from "./engine/blas.ts";
export type { BlasOptions, OnnxBlas } from "./engine/blas.ts";
export { createMomentKernel } from "./engine/moments.ts";
export type { CrossSum, GramSum, MomentKernel } from "./engine/moments.ts";
export { chooseDevice, measureGraphics, measureProduct } from "./engine/choose-device.ts";
export type { GraphicsSpeed } from "./engine/choose-device.ts";
export { GraphBuilder } from "./graph-builder.ts";
export { changedGraph } from "./rewrite/changed-graph.ts";
export type { GraphChange } from "./rewrite/changed-graph.ts";
export type { Attribute, BuiltNode, BuiltPart, Dimension, ExternalTensor, NodeOptions } from "./graph-builder.ts";
export { takeSessions } from "./engine/pooled-sessions.ts";
export type { Sessions } from "./engine/pooled-sessions.ts";
export { createSession, measureEngine } from "./engine/session.ts";
export type { Session, SessionOptions } from "./engine/session.ts";
export { DeviceFullError, runtimeVersion, turnTelemetryOff } from "./engine/runtime.ts";
export { panelCount } from "./engine/gram-panels.ts";
export {
  bringTensor,
  constantBytes,
  countLackOfSpace,
  deviceReport,
  holdTensor,
  readMatrix,
  unlessFull,
} from "./engine/device-memory.ts";
export { deviceMatrix, freeMatrix, freeTensor, isOnDevice, placedTensor } from "./device-tensor.ts";
export type { DeviceMatrix, DeviceTensor, PlacedMatrix, PlacedTensor } from "./device-tensor.ts";
export { SizeLimits } from "./engine/halves.ts";
export type { Portion, Range } from "./engine/halves.ts";
export { withFlagsOff } from "./rewrite/merged-graph.ts";
export {
  constantTensor,
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
