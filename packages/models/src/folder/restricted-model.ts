import { createHash } from "node:crypto";
import { at } from "@mbs/contracts";
import type { Layout } from "../architectures/layout.ts";
import type { Checkpoint, TensorInfo } from "../checkpoint/checkpoint.ts";
import { embeddingsOf } from "../architectures/architecture.ts";
import { createWeightReader } from "../checkpoint/weight-reader.ts";
import { createForward } from "../forward/forward.ts";
import { passagesOf } from "../forward/passages.ts";
import { hiddenStream } from "../forward/streams.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import type { ArchitectureModel } from "./model.ts";

/** Which part of a vocabulary stays, and the tokenizer that knows no other. */
export interface RestrictedVocabulary {
  /** Rows of embedding and head, ascending: the n-th of them is the new row n. */
  readonly rows: ArrayLike<number>;
  readonly tokenizerAddress: string;
  readonly tokenizer: () => Promise<Tokenizer>;
}

/** Names of the tensors that have a row for each token: embedding and head, copies of the embedding, and what blocks read of it. */
export function embeddingsTables({ embedding, head, tensors, tokenInput }: Layout): ReadonlySet<string> {
  const copies = tensors.filter(({ copyOf }) => copyOf === embedding).map(({ name }) => name);
  return new Set([embedding, head, ...copies, ...(tokenInput === undefined ? [] : [tokenInput.table])]);
}

/** The stored bytes of some rows of a table. Rows that follow each other are read at once. */
async function readRows(checkpoint: Checkpoint, name: string, stride: number, rows: ArrayLike<number>): Promise<Uint8Array> {
  const bytes = new Uint8Array(rows.length * stride);
  for (let first = 0; first < rows.length;) {
    const row = at(rows, first);
    let count = 1;
    while (first + count < rows.length && at(rows, first + count) === row + count) count++;
    bytes.set(await checkpoint.readRaw(name, row * stride, count * stride), first * stride);
    first += count;
  }
  return bytes;
}

/** A checkpoint in which some tables have only these rows, without the tensors that are left out. */
function restrictedCheckpoint(
  checkpoint: Checkpoint,
  tables: ReadonlySet<string>,
  isLeftOut: (name: string) => boolean,
  rows: ArrayLike<number>,
): Checkpoint {
  const restricted = (info: TensorInfo): TensorInfo => {
    if (!tables.has(info.name)) return info;
    const [all = 1, ...sides] = info.shape;
    return { ...info, shape: [rows.length, ...sides], bytes: (info.bytes / all) * rows.length };
  };
  const restrictedOf = (tensors: readonly TensorInfo[]) => tensors.filter(({ name }) => !isLeftOut(name)).map(restricted);
  const files = checkpoint.files.map((file) => ({ ...file, tensors: restrictedOf(file.tensors) }));
  const listed = restrictedOf(checkpoint.list());
  const { readPacked } = checkpoint;
  return {
    files,
    nonfinite: checkpoint.nonfinite,
    allowNonfinite: checkpoint.allowNonfinite,
    noteNonfinite(name, index, value) {
      if (!tables.has(name)) return checkpoint.noteNonfinite(name, index, value);
      const [, columns = 1] = checkpoint.info(name).shape;
      return checkpoint.noteNonfinite(name, at(rows, Math.floor(index / columns)) * columns + (index % columns), value);
    },
    list: () => listed,
    has: (name) => checkpoint.has(name) && !isLeftOut(name),
    info: (name) => restricted(checkpoint.info(name)),
    readF32: (name) => (tables.has(name) ? checkpoint.readRowsF32(name, rows) : checkpoint.readF32(name)),
    readRowsF32: (name, chosen) =>
      checkpoint.readRowsF32(name, tables.has(name) ? Int32Array.from(chosen, (row) => at(rows, row)) : chosen),
    ...(readPacked && { readPacked: async (name) => (tables.has(name) ? undefined : readPacked(name)) }),
    async readRaw(name, offset = 0, length) {
      if (!tables.has(name)) return checkpoint.readRaw(name, offset, length);
      const { bytes, shape } = checkpoint.info(name);
      const stride = bytes / at(shape, 0);
      const end = length === undefined ? rows.length * stride : offset + length;
      const [first, last] = [Math.floor(offset / stride), Math.ceil(end / stride)];
      const own = Int32Array.from({ length: last - first }, (_, index) => at(rows, first + index));
      return (await readRows(checkpoint, name, stride, own)).subarray(offset - first * stride, end - first * stride);
    },
    close: () => checkpoint.close(),
  };
}

/**
 * A model as if its vocabulary had only some of its tokens: what a trimmed copy of it computes, and what a trimmed model is
 * compared with. Nothing is written or copied. Closing it closes the model.
 */
export function restrictVocabulary(model: ArchitectureModel, vocabulary: RestrictedVocabulary): ArchitectureModel {
  const { rows, tokenizer, tokenizerAddress } = vocabulary;
  const { layout: whole } = model;
  const tables = embeddingsTables(whole);
  // a value for each token, all of them 0: transformers makes them where they are missing
  const zeros = new Set(whole.tensors.filter((tensor) => tensor.zeros).map(({ name }) => name));
  const checkpoint = restrictedCheckpoint(model.checkpoint, tables, (name) => zeros.has(name), rows);
  const newRows = new Map(Array.from(rows, (row, index) => [row, index]));
  const renumbered = (token: number): number => newRows.get(token) ?? token;
  const { sourceTarget } = whole;
  const around = sourceTarget && {
    ...sourceTarget,
    end: renumbered(sourceTarget.end),
    ...("start" in sourceTarget && { start: renumbered(sourceTarget.start) }),
  };
  const layout: Layout = {
    ...whole,
    vocabularySize: rows.length,
    tensors: whole.tensors
      .filter(({ name }) => !zeros.has(name))
      .map((tensor) => (tables.has(tensor.name) ? { ...tensor, shape: [rows.length, ...tensor.shape.slice(1)] } : tensor)),
    ...(around && { sourceTarget: around }),
  };
  const readWeight = createWeightReader(checkpoint, layout.tensors);
  const hash = createHash("sha256").update(`${model.address}\n${tokenizerAddress}\n`);
  return {
    ...model,
    address: hash.update(Int32Array.from(rows)).digest("hex"),
    tokenizerAddress,
    vocabularySize: rows.length,
    embeddings: embeddingsOf(layout, hiddenStream),
    layout,
    checkpoint,
    readWeight,
    tokenizer,
    passages: () => passagesOf(layout, tokenizer),
    forward: (given) => Promise.resolve(createForward(layout, checkpoint, readWeight, given)),
  };
}
