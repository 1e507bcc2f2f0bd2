export { at } from "./lookup.ts";
export type { ArtifactStream, Batch, ColumnType, ColumnValues, Field, Schema } from "./batch.ts";
export type { Blas, GemmOptions, Matrix, Real } from "./blas.ts";
export type { ChatMessage, ChatRenderer, Conversation, OpenChat, RenderedConversation } from "./conversation.ts";
export { argumentsFromParent } from "./child-messages.ts";
export type { ChildArguments, ChildReport } from "./child-messages.ts";
export {
  BadDataError,
  BrokenPipeError,
  DeniedError,
  FailedPreconditionError,
  InputOutputError,
  InternalError,
  InterruptedError,
  LimitExceededError,
  MbsError,
  TryAgainError,
  UsageError,
  errorOfTag,
  isErrorTag,
} from "./errors.ts";
export type { ErrorFacts, ErrorTag } from "./errors.ts";
export { addDeviceReports, deviceChoices, noDeviceReport } from "./device.ts";
export type { Device, DeviceChoice, DeviceReport } from "./device.ts";
export { didYouMean } from "./did-you-mean.ts";
export { bitsAWeight, formatBytes, isSmaller, parseBytes, sizeAgainst, sizeFrom, totalBytes } from "./byte-sizes.ts";
export type { ModelSize } from "./byte-sizes.ts";
export { isAmount, isCount, isObject } from "./value-checks.ts";
export { languageTag } from "./language-tag.ts";
export { didYouMeanLanguage, isNoLanguage, languageName, nearestLanguage } from "./nearest-language.ts";
export { areProportional, formatLanguageMix, languageWeights, mostWeight, parseLanguageMix } from "./language-mix.ts";
export type { LanguageMix } from "./language-mix.ts";
export { availableMemory, defaultKept, requireAvailable, splitKept, weightsBeside } from "./memory.ts";
export type { KeptMemory } from "./memory.ts";
export { createObjectPool } from "./object-pool.ts";
export type { ObjectPool, Poolable } from "./object-pool.ts";
export { isCodePath, optionFlag, parseOptions, resourceKinds, splitOptions } from "./options.ts";
export type { Option, OptionTable, OptionValues, ResourceKind } from "./options.ts";

export { noObserver, observed } from "./observer.ts";
export type { CallEnding, CallWork, EndStage, ObservedCall, Observer, Outcome, StageEnding, StageWork } from "./observer.ts";
export { importOptional } from "./optional-package.ts";
export type { OptionalPackage } from "./optional-package.ts";
export { counted, printable, printableLines, quoted, shortened } from "./printable.ts";
export { progressCount } from "./progress-count.ts";
export { availableProcessors, mostThreads } from "./processors.ts";
export { loadCode, optionsFault, settled } from "./load-code.ts";
export type { CodeKind } from "./load-code.ts";
export { loadStage, stageFault } from "./load-stage.ts";
export type { BlockGrid, Grid, GroupGrid, HeldBlocks, HeldGrids, HeldGroups, NoGrid, ZeroPoints } from "./grid.ts";
export { defineSolver, nameMethods } from "./solver.ts";
export type { ServerPlace } from "./server-place.ts";
export { nameShards, parseShard, rangeOfShards, shardOption } from "./shards.ts";
export type { Shards } from "./shards.ts";
export { formatShare, parseShare } from "./shares.ts";
export { startProcess } from "./start-process.ts";
export { defineStage, firstOutput, isOptional } from "./stage.ts";
export { optionTable, thirdPartyCode } from "./stage-options.ts";
export type {
  Factor,
  LanguageDiagonal,
  PlannedCodes,
  PlannedForm,
  PlannedLayers,
  QuantisedWeight,
  SiteWeight,
  Solution,
  Solver,
  SolverContext,
  SolverStatistics,
  StatisticName,
  WeightPart,
  SolverSetting,
} from "./solver.ts";
export type {
  AllocationNeeds,
  AllocationWork,
  PlannedSize,
  TimeLeft,
  Progress,
  Stage,
  StageContext,
  StageInput,
  StageInputs,
  StageOptions,
  StageOutput,
  StageOutputs,
} from "./stage.ts";
export { matchWithinTime } from "./time-limit.ts";
export { groupBy, valueAt } from "./lookup.ts";
export { once } from "./once.ts";
export type { Group } from "./lookup.ts";
