export { defaultLength, requirePositions } from "./forward/default-length.ts";
export type { Architecture, ExpectedTensor, Layout, StepGraphValues } from "./architectures/architecture.ts";
export { maskedScore, scoreFloor } from "./graph/softmax-attention.ts";
export { bytesOfDtype } from "./checkpoint/checkpoint.ts";
export type { Checkpoint, TensorInfo, WeightFile } from "./checkpoint/checkpoint.ts";
export type { WeightDtype } from "@mbs/numbers";
export type { LinearWeight } from "./onnx-model/linear-weights.ts";
export { requireFiniteRows, requireFiniteStreams } from "./forward/finite-states.ts";
export { generate } from "./forward/generation.ts";
export { logitsAtATime } from "./forward/head.ts";
export { openMergeList, readMergeList } from "./tokenizer/merge-list.ts";
export type { Merge, MergeList } from "./tokenizer/merge-list.ts";
export type {
  ArchitectureModel,
  Forward,
  GraphModel,
  Model,
  ScaledTensor,
  Site,
  SiteTensor,
  Step,
  StepOptions,
  StepResult,
} from "./folder/model.ts";
export { cardFile, meanMix, readModelRecord, recordFile } from "./folder/model-record.ts";
export type { ModelRecord, RecordedLayers } from "./folder/model-record.ts";
export type { Passage, Passages } from "./forward/passages.ts";
export { openModel } from "./folder/open-model.ts";
export type { OpenModelOptions } from "./folder/open-model.ts";
export { addRotation, rotaryTables } from "./graph/rotary.ts";
export type { Rotary, Turn } from "./graph/rotary.ts";
export { writeSafetensors } from "./checkpoint/safetensors-writer.ts";
export type { TensorPieces } from "./checkpoint/safetensors-writer.ts";
export type { Attention, EmbedGraph, LinearLayer, RowGraph, SequenceGraph } from "./graph/sequence-graph.ts";
export { advance, embedStreams, headStates, runSteps, statesOf } from "./forward/streams.ts";
export type { StreamStates } from "./forward/streams.ts";
export type { Tokenizer } from "./tokenizer/tokenizer.ts";
export { checkTokens } from "./forward/tokens.ts";
export { indexFile, singleFile } from "./checkpoint/weight-files.ts";
export { transpose } from "./checkpoint/weight-reader.ts";
export type { WeightReader } from "./checkpoint/weight-reader.ts";
