export type { WeightDtype } from "@mbs/numbers";
export type { Architecture } from "./architectures/architecture.ts";
export { isInTransformersJs } from "./architectures/architectures.ts";
export { hasNoBasis } from "./architectures/bases.ts";
export type { Bases, NoBasis, NormTensors, ResidualStream, StreamNorm, ValueHeads } from "./architectures/bases.ts";
export type { ExpectedTensor, Layout, ScaledTensor, Site, SiteTensor, Block, BlockGraphValues } from "./architectures/layout.ts";
export { chatAddress, readChatTemplates } from "./chat/chat-templates.ts";
export type { ChatTemplates } from "./chat/chat-templates.ts";
export { chatOf, openChat } from "./chat/open-chat.ts";
export { compressibleBlocks } from "./architectures/architecture.ts";
export type { Embeddings } from "./architectures/architecture.ts";
export { rotationKey, rotationKinds } from "./config/rotation-record.ts";
export type { RotationKind, RotationRecord } from "./config/rotation-record.ts";
export { trimmingKey } from "./config/trimming-record.ts";
export type { TrimmingRecord } from "./config/trimming-record.ts";
export type { Checkpoint, TensorInfo, WeightFile } from "./checkpoint/checkpoint.ts";
export { writeSafetensors } from "./checkpoint/safetensors-writer.ts";
export type { TensorPieces } from "./checkpoint/safetensors-writer.ts";
export { ggufFile, indexFile, isGgufFolder, singleFile } from "./checkpoint/weight-files.ts";
export { transpose } from "./checkpoint/weight-reader.ts";
export type { WeightReader } from "./checkpoint/weight-reader.ts";
export { parseJsonObject } from "./folder/json-file.ts";
export { readPooling } from "./folder/pooling.ts";
export type { Pooling } from "./folder/pooling.ts";
export type { JsonObject } from "./folder/json-file.ts";
export type { ModelFiles } from "./folder/model-files.ts";
export { isGguf } from "./folder/model-record.ts";
export { hubName, readCardSource } from "./writing/card-source.ts";
export type { CardSource } from "./writing/card-source.ts";
export { cardFile, meanMix, readModelRecord, recordFile } from "./folder/model-record.ts";
export type { ModelRecord, RecordedLayers } from "./folder/model-record.ts";
export type {
  Activations,
  ArchitectureModel,
  Forward,
  GivenWeights,
  GraphModel,
  Model,
  Stacks,
  BlockCut,
  BlockOptions,
  TreeCache,
  TokenRange,
  TreeForward,
  EmbeddingsForward,
} from "./folder/model.ts";
export { modelSize } from "./folder/model-size.ts";
export { pinModel } from "./folder/hub-model.ts";
export type { PinnedModel } from "./folder/hub-model.ts";
export { openModel } from "./folder/open-model.ts";
export type { OpenModelOptions } from "./folder/open-model.ts";
export { requireCompressible, requireEmbeddings } from "./folder/compressible.ts";
export { restrictToTrimmed, rowsOfTrimmed } from "./folder/restrict-to-trimmed.ts";
export { restrictVocabulary, embeddingsTables } from "./folder/restricted-model.ts";
export type { RestrictedVocabulary } from "./folder/restricted-model.ts";
export { requireSameModel } from "./folder/model-address.ts";
export { comparisonBytes, createLogitComparison } from "./forward/logit-comparison.ts";
export type { LogitComparison, LogitSource, TokenDistances } from "./forward/logit-comparison.ts";
export { likeliestTokens, requireToken } from "./forward/likeliest-tokens.ts";
export type { LikeliestToken } from "./forward/likeliest-tokens.ts";
export { checkTokens } from "./forward/forward-checks.ts";
export { generate, weightsForWriting } from "./forward/generation.ts";
export { logitsAtATime, logitsOfTile, rowsAt, spreadStride } from "./forward/head.ts";
export type { PairLanguages, Passage, Passages } from "./forward/passages.ts";
export { freeCut } from "./forward/block-walk.ts";
export { advance, advanceKept, embedStreams, runBlocks } from "./forward/run-blocks.ts";
export {
  encoderStream,
  headStates,
  hiddenStream,
  requireFiniteRows,
  requireFiniteStreams,
  statesOf,
  tokensOf,
} from "./forward/streams.ts";
export type { PlacedStates, StreamStates } from "./forward/streams.ts";
export { defaultLength, requirePositions } from "./forward/text-length.ts";
export { commonPrefix, plantTree } from "./forward/token-tree.ts";
export type { TokenTree } from "./forward/token-tree.ts";
export { openGgufFile } from "./gguf/gguf-file.ts";
export type { GgufFile } from "./gguf/gguf-file.ts";
export { describeGguf } from "./gguf/describe-gguf.ts";
export type { GgufDescription, GgufStoredTensor } from "./gguf/describe-gguf.ts";
export { findGgufForm, llamaCppTypes } from "./gguf/form/load-form.ts";
export { ggufTensorName } from "./gguf/gguf-names.ts";
export type { GgufTensorName } from "./gguf/gguf-names.ts";
export { ggufTypes } from "./gguf/writing/gguf-types.ts";
export { checkGguf, ggufColumns, planGguf, planGgufTensors } from "./gguf/writing/plan-gguf.ts";
export type { GgufPlan, PlannedGgufTensor } from "./gguf/writing/plan-gguf.ts";
export { addRotation, rotaryTables } from "./graph/rotary.ts";
export type { Rotary, Turn } from "./graph/rotary.ts";
export type { Attention, EmbedGraph, LinearLayer, RowGraph, SequenceGraph } from "./graph/sequence-graph.ts";
export { maskedScore, scoreFloor, withoutSinks, withSinks } from "./graph/softmax-attention.ts";
export type { LinearWeight } from "./onnx-model/linear-weights.ts";
export { tokenizerSources } from "./folder/folder-tokenizer.ts";
export { openMergeList, readMergeList } from "./tokenizer/merge-list.ts";
export type { Merge, MergeList } from "./tokenizer/merge-list.ts";
export { findTokenKind, spaceMark } from "./tokenizer/token-bytes.ts";
export type { TokenKind } from "./tokenizer/token-bytes.ts";
export { tokenIds } from "./tokenizer/token-ids.ts";
export { pairOf } from "./tokenizer/tokenizer-vocabulary.ts";
export { makeTokenizer } from "./tokenizer/tokenizer.ts";
export type { SpecialToken, Tokenizer } from "./tokenizer/tokenizer.ts";
export { isCarried, renameJoined } from "./checkpoint/tensor-names.ts";
export { hasFile, isLegalFile, listCarriedFiles, mayHoldModel } from "./writing/carried-files.ts";
export { configOf, converted, editedConfig, editedJson, requireDense } from "./writing/edited-config.ts";
export { filePieces, jsonFile, textFile, weightFile, weightIndex } from "./writing/output-file.ts";
export type { OutputFile, PlacedTensors } from "./writing/output-file.ts";
export { wholeTensors } from "./writing/whole-tensors.ts";
export type { WrittenFile } from "./writing/whole-tensors.ts";
export { findNonfiniteWeights, nonfiniteNote, readAsZero, requireFiniteWeights, storedPieces } from "./writing/stored-pieces.ts";
