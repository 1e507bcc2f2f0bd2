import type { Field } from "@mbs/contracts";

const fields = <const T extends readonly Field[]>(...list: T): T => list;

/** The columns of every artifact kind at its current version; docs/formats.md says what they mean. */
export const artifactKinds = {
  segments: {
    version: 1,
    fields: fields(
      { name: "segment", type: "int32" },
      { name: "language", type: "utf8" },
      { name: "documents", type: "int32" },
      { name: "tokens", type: "list<int32>" },
    ),
  },
  statistics: {
    version: 1,
    fields: fields(
      { name: "step", type: "utf8" },
      { name: "site", type: "utf8" },
      { name: "language", type: "utf8" },
      { name: "kind", type: "utf8" },
      { name: "tokens", type: "int64" },
      { name: "width", type: "int32" },
      { name: "row", type: "int32" },
      { name: "rows", type: "int32" },
      { name: "values", type: "list<float32>" },
    ),
  },
  states: {
    version: 1,
    fields: fields(
      { name: "segment", type: "int32" },
      { name: "language", type: "utf8" },
      { name: "stream", type: "utf8" },
      { name: "row", type: "int32" },
      { name: "rows", type: "int32" },
      { name: "width", type: "int32" },
      { name: "values", type: "list<float32>" },
    ),
  },
  factors: {
    version: 1,
    fields: fields(
      { name: "step", type: "utf8" },
      { name: "site", type: "utf8" },
      { name: "part", type: "utf8" },
      { name: "width", type: "int32" },
      { name: "row", type: "int32" },
      { name: "rows", type: "int32" },
      { name: "values", type: "list<float32>" },
      { name: "info", type: "utf8" },
    ),
  },
  allocation: {
    version: 1,
    fields: fields(
      { name: "step", type: "utf8" },
      { name: "parameters", type: "int64" },
      { name: "importance", type: "float64" },
      { name: "sparsity", type: "float64" },
    ),
  },
  layers: {
    version: 2,
    fields: fields(
      { name: "step", type: "utf8" },
      { name: "site", type: "utf8" },
      { name: "tensor", type: "utf8" },
      { name: "part", type: "utf8" },
      { name: "dtype", type: "utf8" },
      { name: "row", type: "int32" },
      { name: "rows", type: "int32" },
      { name: "columns", type: "int32" },
      { name: "data", type: "binary" },
      { name: "info", type: "utf8" },
    ),
  },
  scores: {
    version: 1,
    fields: fields(
      { name: "model", type: "utf8" },
      { name: "address", type: "utf8" },
      { name: "language", type: "utf8" },
      { name: "source", type: "utf8" },
      { name: "window", type: "int32" },
      { name: "nll", type: "float64" },
      { name: "tokens", type: "int32" },
      { name: "bytes", type: "int32" },
    ),
  },
  similarity: {
    version: 1,
    fields: fields(
      { name: "step", type: "utf8" },
      { name: "site", type: "utf8" },
      { name: "measure", type: "utf8" },
      { name: "first", type: "utf8" },
      { name: "second", type: "utf8" },
      { name: "value", type: "float64" },
    ),
  },
  // At version 1 this kind was called "errors".
  damage: {
    version: 2,
    fields: fields(
      { name: "step", type: "utf8" },
      { name: "site", type: "utf8" },
      { name: "tensor", type: "utf8" },
      { name: "language", type: "utf8" },
      { name: "moment", type: "utf8" },
      { name: "error", type: "float64" },
      { name: "output", type: "float64" },
      { name: "damage", type: "float64" },
    ),
  },
  mixes: {
    version: 1,
    fields: fields(
      { name: "mix", type: "utf8" },
      { name: "round", type: "int32" },
      { name: "language", type: "utf8" },
      { name: "weight", type: "float64" },
      { name: "damage", type: "float64" },
    ),
  },
  files: {
    version: 1,
    fields: fields({ name: "path", type: "utf8" }, { name: "offset", type: "int64" }, { name: "data", type: "binary" }),
  },
} as const;

export type ArtifactKind = keyof typeof artifactKinds;
