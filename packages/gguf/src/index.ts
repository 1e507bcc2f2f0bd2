export {
  quantisationTypeNamed,
  quantisationTypes,
  bitsIn,
  bytesIn,
  isInFiles,
  isReadable,
  readableTypes,
} from "./blocks/quantisation-types.ts";
export type { QuantisationType } from "./blocks/quantisation-types.ts";
export { fittingType, replacedBy } from "./blocks/fitting-type.ts";
export { movedBlocks } from "./blocks/moved-blocks.ts";
export { nvfp4Scales } from "./blocks/nvfp4.ts";
export type { BlockEncoder } from "./encoders/block-encoder.ts";
export { blockEncoders, encodeValues, largestBlockValue, writableTypes } from "./encoders/encode-values.ts";
export { chooseTypes, roundsNothing, staysInFloat32, typeMixNamed, typeMixes } from "./type-mixes.ts";
export type { TypeMixFacts, TypedShape, TypeMix } from "./type-mixes.ts";
export { readGgufHeader } from "./file/gguf-header.ts";
export type { GgufHeader, GgufMetadata, GgufTensor, GgufValue } from "./file/gguf-header.ts";
export { ggufBytes, writeGguf } from "./file/gguf-writer.ts";
export type { GgufField, GgufWrittenTensor } from "./file/gguf-writer.ts";
export { MetadataReader, mostBlocks, mostExperts, shortestDecimal } from "./file/metadata-reader.ts";
export type { ReadableFile } from "./file/byte-cursor.ts";
export { allocatedTypes, blockGrids, ggufGrids } from "./packing/block-grids.ts";
export type { BlockGrid } from "./packing/block-grids.ts";
export { pointTables } from "./codebooks/point-tables.ts";
export type { Codebook } from "./codebooks/codebooks.ts";
export type { BlockCodes, Packer } from "./packing/block-codes.ts";
