export { encodeAllocation, readAllocation } from "./codecs/allocation.ts";
export { encodeDamage, readDamage } from "./codecs/damage.ts";
export { encodeFactors, readFactors } from "./codecs/factors.ts";
export { encodeFiles, readFiles } from "./codecs/files.ts";
export { encodeLayers, readLayers } from "./codecs/layers.ts";
export { encodeMixes, readMixes } from "./codecs/mixes.ts";
export { encodeScores, readScores } from "./codecs/scores.ts";
export { encodeSegments, readSegments } from "./codecs/segments.ts";
export { encodeSimilarities, readSimilarities } from "./codecs/similarities.ts";
export { encodeStates, readStates } from "./codecs/states.ts";
export { encodeStatistics, readStatistics } from "./codecs/statistics.ts";
export { collect } from "./collect.ts";
export { damageByLanguage, weightedDamage } from "./damage-by-language.ts";
export type { DamageByLanguage } from "./damage-by-language.ts";
export { requireKind } from "./kind.ts";
export { bitsPerByte, groupScores, logPerplexity, sameWindows, sumLosses } from "./language-losses.ts";
export type { LossSums, ModelScores } from "./language-losses.ts";
export { parseMetadata } from "./metadata.ts";
export type {
  AllocationMetadata,
  ArtifactMetadata,
  DamageMetadata,
  FactorsMetadata,
  FilesMetadata,
  LayersMetadata,
  MixesMetadata,
  NumbersByName,
  ScoresMetadata,
  SegmentsMetadata,
  SimilarityMetadata,
  StatesMetadata,
  StatisticsMetadata,
} from "./metadata.ts";
export type { Receipt } from "./receipt.ts";
export type {
  FactorRecord,
  FactorSummary,
  FilePiece,
  LanguageDiagonalRecord,
  DamageRecord,
  LayerRecord,
  LayerSummary,
  MixRecord,
  Score,
  Segment,
  SimilarityRecord,
  StateRecord,
  OwnStatistic,
  Statistic,
  StepAllocation,
  TensorData,
  TensorDtype,
} from "./records.ts";
export { allLanguages, allSites, inputSite } from "./reserved-names.ts";
export { artifactKinds } from "./schemas.ts";
export type { ArtifactKind } from "./schemas.ts";
export { addressOnTheWay, contentAddress } from "./content-address.ts";
export type { AddressedStream } from "./content-address.ts";
export { decodeStream } from "./ipc/decode-stream.ts";
export type { DecodedStream } from "./ipc/decode-stream.ts";
export { encodeStream } from "./ipc/encode-stream.ts";
export type { EncodedStream } from "./ipc/encode-stream.ts";
export { decodeFlight, encodeFlight, encodeSchemaMessage } from "./ipc/flight.ts";
export type { FlightMessage } from "./ipc/flight.ts";
export { realPlace, requireForeign } from "./storage/real-place.ts";
export { openArtifact, openNamed, writeArtifact } from "./storage/artifact-file.ts";
export { plainAt, writeAtomically } from "./storage/atomic-file.ts";
export type { WriteOptions } from "./storage/atomic-file.ts";
export { ArtifactStore, isStoreName } from "./storage/artifact-store.ts";
export type { StoredArtifact } from "./storage/artifact-store.ts";
export { withLock } from "./storage/lock.ts";
export { manifestKey, RunManifest } from "./storage/run-manifest.ts";
export type { NodeOutputs } from "./storage/run-manifest.ts";
export { makeTemporaryFolder, removeTemporaryFolders } from "./storage/temporary-folder.ts";
export { isTemporaryOf } from "./storage/temporary-name.ts";
export { findChanged } from "./storage/file-hashes.ts";
export type { FileHashes } from "./storage/file-hashes.ts";
export { unpackFiles } from "./storage/unpack-files.ts";
export type { Unpacked } from "./storage/unpack-files.ts";
export { SpooledArtifact } from "./storage/spooled-artifact.ts";
export { Spool } from "./storage/spool.ts";
export type { SpoolPlace } from "./storage/spool.ts";
