export { bitsOf, blockTypeNamed, blockTypes, isReadable, readableTypes } from "./blocks/block-types.ts";
export type { BlockType } from "./blocks/block-types.ts";
export { readGgufHeader } from "./file/gguf-header.ts";
export type { GgufHeader, GgufMetadata, GgufTensor, GgufValue } from "./file/gguf-header.ts";
export { writeGguf } from "./file/gguf-writer.ts";
export type { GgufField, GgufWrittenTensor } from "./file/gguf-writer.ts";
export { MetadataReader, shortestDecimal } from "./file/metadata-reader.ts";
export type { ReadableFile } from "./file/readable-file.ts";
