export { encodeAllocation, encodeBitAllocation, readAllocation, readBitAllocation } from "./codecs/allocation.ts";
export { encodeDamage, meanDamages, readDamage } from "./codecs/damage.ts";
export { encodeFactors, readFactors } from "./codecs/factors.ts";
export { encodeFiles, readFiles } from "./codecs/files.ts";
export { encodeLastStates, readLastStates } from "./codecs/last-states.ts";
export { encodeLayers, readLayers } from "./codecs/layers.ts";
export { encodeMixes, readMixes } from "./codecs/mixes.ts";
export { orderAllShards, orderShards } from "./ordered-shards.ts";
export type { ShardedStream } from "./ordered-shards.ts";
export { collectScores, encodeScores, readScores } from "./codecs/scores.ts";
export type { AllScores, ReadScoresOptions } from "./codecs/scores.ts";
export { encodeSegments, readSegments } from "./codecs/segments.ts";
export { encodeSimilarities, readSimilarities } from "./codecs/similarities.ts";
export { encodeStates, readStates } from "./codecs/states.ts";
export { encodeStatistics, readStatistics } from "./codecs/statistics.ts";
export { collect } from "./collect.ts";
export { addressOnTheWay, contentAddress, isAddress } from "./content-address.ts";
export type { AddressedStream, Receipt } from "./content-address.ts";
export { layerShape, layerValues, rowRanges } from "./written-values.ts";
export type { LayerSource } from "./written-values.ts";
export { decodeStream } from "./ipc/decode-stream.ts";
export type { DecodedStream } from "./ipc/decode-stream.ts";
export { encodeStream } from "./ipc/encode-stream.ts";
export type { EncodedStream } from "./ipc/encode-stream.ts";
export { decodeFlight, encodeFlight, encodeSchemaMessage } from "./ipc/flight.ts";
export type { FlightMessage } from "./ipc/flight.ts";
export { parseMetadata, statisticsUnits } from "./kinds/metadata.ts";
export type {
  AllocationMetadata,
  ArtifactMetadata,
  DamageMetadata,
  IntervalsByName,
  MeasuredDamage,
  FactorsMetadata,
  FilesMetadata,
  LastStatesMetadata,
  LayersMetadata,
  MixesMetadata,
  NumbersByName,
  ScoresMetadata,
  SegmentsMetadata,
  SimilarityMetadata,
  StatesMetadata,
  StatisticsMetadata,
} from "./kinds/metadata.ts";
export {
  allLanguages,
  allSites,
  embeddingSite,
  expertOf,
  expertsSite,
  headClassSite,
  headSite,
  inputSite,
  isReadSite,
  isTokenSite,
  tokenSites,
  embeddingsBlock,
} from "./kinds/records.ts";
export type {
  AnswerScore,
  ChoiceScore,
  DamageRecord,
  FactorRecord,
  FactorSummary,
  FilePiece,
  LanguageDiagonalRecord,
  LastStates,
  LayerRecord,
  LayerSummary,
  MixRecord,
  OwnStatistic,
  Score,
  ScoreDistance,
  Segment,
  SimilarityRecord,
  StateRecord,
  Statistic,
  BlockAllocation,
  TensorAllocation,
  TaskScore,
  TensorData,
  TensorDtype,
} from "./kinds/records.ts";
export { artifactKinds, requireKind, requireKnownColumns, requireVersion } from "./kinds/schemas.ts";
export type { ArtifactKind } from "./kinds/schemas.ts";
export { bitsPerByte, groupScores, logPerplexity, sameWindows, sumLosses } from "./language-losses.ts";
export type { LossSums, ModelScores } from "./language-losses.ts";
export { SiteLanguages } from "./site-languages.ts";
export { describeArtifact, openArtifact, openNamed, writeArtifact } from "./storage/artifact-file.ts";
export type { StoredArtifact } from "./storage/artifact-file.ts";
export { isDeep, parseJson, requirePlainJson } from "./json.ts";
export { addressOfName, artifactName, isStoreName, requireAddress, unnamedArtifact } from "./storage/artifact-name.ts";
export { ArtifactStore } from "./storage/artifact-store.ts";
export type { WriteTime } from "./storage/artifact-store.ts";
export { commitTemporary, plainAt, writeAtomically, writeTemporary } from "./storage/atomic-file.ts";
export type { WriteOptions } from "./storage/atomic-file.ts";
export { certificateFault, parseCertificate } from "./storage/certificate.ts";
export type { CertificateFault } from "./storage/certificate.ts";
export { isPlainSecret, readFirstLine, readGiven, warnIfOpen } from "./storage/given-file.ts";
export { withLock } from "./storage/lock/lock.ts";
export { followLinks, requireNotRead } from "./storage/output-path.ts";
export { manifestKey, RunManifest } from "./storage/run-manifest.ts";
export type { NodeOutputs } from "./storage/run-manifest.ts";
export { ScratchFile } from "./storage/temporary/scratch-file.ts";
export type { ScratchSlot } from "./storage/temporary/scratch-file.ts";
export { keepLayer, keepMatrix, readLayer, readMatrix } from "./storage/temporary/scratch-layer.ts";
export type { ScratchLayer, ScratchMatrix } from "./storage/temporary/scratch-layer.ts";
export { ScratchArtifact } from "./storage/temporary/scratch-artifact.ts";
export { makeTemporaryFolder, removeTemporaryFolders } from "./storage/temporary/temporary-folder.ts";
export { makeFolder } from "./storage/make-folder.ts";
export { isMissing, systemError } from "./storage/system-error.ts";
export { isTemporaryOf, temporaryName } from "./storage/temporary/temporary-name.ts";
export { keepCached, readCached } from "./storage/user-cache.ts";
export { findChanged, requireReplaceable, unpackFiles } from "./storage/unpack-files.ts";
export type { FileHashes, Unpacked } from "./storage/unpack-files.ts";
