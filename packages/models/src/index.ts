export { defaultLength, requirePositions } from "./default-length.ts";
export type { Architecture, ExpectedTensor, Layout, StepGraphValues } from "./architecture.ts";
export { maskedScore, scoreFloor } from "./softmax-attention.ts";
export { bytesOfDtype } from "./checkpoint.ts";
export type { Checkpoint, TensorInfo, WeightFile } from "./checkpoint.ts";
export type { WeightDtype } from "@mbs/numbers";
export type { LinearWeight } from "./graph-model/linear-weights.ts";
export { requireFiniteRows, requireFiniteStreams } from "./finite-states.ts";
export { generate } from "./generation.ts";
export { logitsAtATime } from "./head.ts";
export { openMergeList, readMergeList } from "./merge-list.ts";
export type { Merge, MergeList } from "./merge-list.ts";
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
} from "./model.ts";
export { cardFile, meanMix, readModelRecord, recordFile } from "./model-record.ts";
export type { ModelRecord, RecordedLayers } from "./model-record.ts";
export type { Passage, Passages } from "./passages.ts";
export { openModel } from "./open-model.ts";
export type { OpenModelOptions } from "./open-model.ts";
export { addRotation, rotaryTables } from "./rotary.ts";
export type { Rotary, Turn } from "./rotary.ts";
export { writeSafetensors } from "./safetensors-writer.ts";
export type { TensorPieces } from "./safetensors-writer.ts";
export type { Attention, EmbedGraph, LinearLayer, RowGraph, SequenceGraph } from "./sequence-graph.ts";
export { advance, embedStreams, headStates, runSteps, statesOf } from "./streams.ts";
export type { StreamStates } from "./streams.ts";
export type { Tokenizer } from "./tokenizer.ts";
export { checkTokens } from "./tokens.ts";
export { indexFile, singleFile } from "./weight-files.ts";
export { transpose } from "./weight-reader.ts";
export type { WeightReader } from "./weight-reader.ts";
