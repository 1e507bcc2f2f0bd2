export type {
  FactorRecord,
  FactorSummary,
  FilePiece,
  LayerRecord,
  LayerSummary,
  Score,
  Segment,
  SimilarityRecord,
  StateRecord,
  Statistic,
  TensorData,
  TensorDtype,
} from "./records.ts";
export { artifactKinds } from "./schemas.ts";
export type { ArtifactKind } from "./schemas.ts";
