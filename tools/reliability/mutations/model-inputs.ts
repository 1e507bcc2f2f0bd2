import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeGguf } from "@mbs/gguf";
import type { GgufField } from "@mbs/gguf";
import { openModel, runBlocks, writeSafetensors } from "@mbs/models";
import type { Model } from "@mbs/models";
import { writeTinyModel } from "@mbs/models/testing";
import { imatrixEntries } from "../../../packages/imatrix/src/imatrix-entries.ts";
import { openImatrix } from "../../../packages/imatrix/src/imatrix-reader.ts";
import { openSafetensors } from "../../../packages/models/src/checkpoint/weight-files.ts";
import { demand, demandSame, fixture, fixtureBytes } from "./input.ts";
import type { Reader } from "./input.ts";

/** Names of the tensors of a file, where they are, and their bytes, as hex. */
async function safetensorsContent(path: string) {
  const file = await openSafetensors(path);
  try {
    const tensors = file.tensors.map((entry) => {
      const bytes = new Uint8Array(entry.end - entry.begin);
      file.readInto(entry, 0, bytes);
      return { name: entry.name, storedDtype: entry.storedDtype, shape: entry.shape, bytes };
    });
    const ends = [0, ...file.tensors.map(({ end }) => end)];
    demand(
      file.tensors.every(({ begin }, index) => begin === ends[index]),
      "the tensors of a safetensors file do not follow each other",
    );
    return { metadata: file.metadata, tensors };
  } finally {
    file.close();
  }
}

async function collectBytes(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all);
}

/** A file of safetensors with that header, whose length is right. */
function safetensorsOf(header: Uint8Array, data: Uint8Array): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header, data]);
}

/** Three tensors: a file as it is, and one whose header alone changes. What is read is written and read again. */
export const safetensors: Reader = async (folder) => {
  const [path, copy] = [join(folder, "model.safetensors"), join(folder, "again.safetensors")];
  const tensors = [
    { name: "a.weight", storedDtype: "F32", dtype: "f32" as const, shape: [2, 3], bytes: 24, file: "" },
    { name: "b.weight", storedDtype: "F16", dtype: "f16" as const, shape: [5], bytes: 10, file: "" },
    { name: "c", storedDtype: "I64", dtype: undefined, shape: [], bytes: 8, file: "" },
  ];
  const written = await collectBytes(
    writeSafetensors(tensors, { format: "pt" }, ({ bytes }) => [new Uint8Array(bytes).fill(bytes)]),
  );
  const start = 8 + Number(written.readBigUInt64LE(0));
  const [header, data] = [written.subarray(8, start), written.subarray(start)];
  const read = async (bytes: Uint8Array): Promise<void> => {
    writeFileSync(path, bytes);
    const found = await safetensorsContent(path);
    const again = found.tensors.map((tensor) => ({ ...tensor, dtype: undefined, bytes: tensor.bytes.length, file: "" }));
    const contents = new Map(found.tensors.map(({ name, bytes: own }) => [name, own]));
    const pieces = writeSafetensors(again, found.metadata, ({ name }) => [contents.get(name) ?? new Uint8Array()]);
    writeFileSync(copy, await collectBytes(pieces));
    demandSame(await safetensorsContent(copy), found, "a safetensors file, written and read again");
  };
  return [
    { name: "file", bytes: written, form: "bytes", read },
    { name: "header", bytes: header, form: "json", read: (bytes) => read(safetensorsOf(bytes, data)) },
  ];
};

/** Every weight that a model would read is finite, and its tokenizer makes known tokens of a text. */
async function readModel(path: string): Promise<void> {
  const model = await openModel(path);
  try {
    requireSizes(model);
    for (const { name, dtype } of model.checkpoint.list()) {
      if (dtype === undefined || !model.reads.has(name)) continue;
      demand((await model.checkpoint.readF32(name)).every(Number.isFinite), `a weight of ${name} is not finite`);
    }
    requireTokens(await model.tokenizer(), ["The folder, 12 of a b", "नमस्ते"]);
  } finally {
    await model.close();
  }
}

export const isSize = (value: number): boolean => Number.isSafeInteger(value) && value > 0;

function requireSizes({ hiddenSize, vocabularySize, contextLength, blocks }: Model): void {
  demand(isSize(hiddenSize) && isSize(vocabularySize), `a model has ${hiddenSize} channels and ${vocabularySize} tokens`);
  demand(contextLength === undefined || isSize(contextLength), `a model reads ${contextLength} tokens`);
  demand(blocks.length > 0, "a model has no blocks");
}

interface Tokens {
  encode(text: string): Int32Array;
  decode(ids: ArrayLike<number>): string;
  byteLength(ids: ArrayLike<number>): number;
}

/** Tokens of texts are ids, and the same when the text is read again; their texts and lengths exist. */
export function requireTokens(tokenizer: Tokens, texts: readonly string[]): void {
  for (const text of texts) {
    const ids = tokenizer.encode(text);
    demand(
      ids.every((id) => id >= 0),
      `a tokenizer gave the tokens ${ids.join(", ")}`,
    );
    demandSame([...tokenizer.encode(text)], [...ids], "the tokens of a text that is read again");
    demand(typeof tokenizer.decode(ids) === "string", "tokens have no text");
    demand(tokenizer.byteLength(ids) >= 0, "tokens have no length");
  }
}

/** Of small files, those that differ in kind. */
const ggufModels = ["llama-odd-factors", "bloom", "phi3", "gemma2", "qwen2", "t5", "gpt2", "mixtral", "llama-q8", "bert"];

/** Whole models: header, metadata that become configuration and tokenizer, tensors. */
export const gguf: Reader = async (folder) => {
  const path = join(folder, "model.gguf");
  return ggufModels.map((name) => ({
    name,
    bytes: fixtureBytes(`models/test/fixtures/gguf/models/${name}.gguf`),
    form: "bytes",
    read(bytes) {
      writeFileSync(path, bytes);
      return readModel(path);
    },
  }));
};

/** An importance matrix of a small model. */
export const imatrix: Reader = async (folder) => {
  const tiny = join(folder, "tiny");
  await writeTinyModel(tiny, { seed: 3, blocks: 1, hiddenSize: 8 });
  const model = await openModel(tiny);
  const entries = await imatrixEntries(model);
  await model.close();
  const path = join(folder, "imatrix.gguf");
  const metadata = new Map<string, GgufField>([
    ["general.type", { type: "string", value: "imatrix" }],
    ["imatrix.datasets", { type: "array", of: "string", value: ["en=1"] }],
    ["imatrix.chunk_count", { type: "u32", value: 6 }],
    ["imatrix.chunk_size", { type: "u32", value: 512 }],
  ]);
  const tensors = entries.flatMap(({ name, width }) => [
    { name: `${name}.in_sum2`, type: 0, shape: [1, width], bytes: 4 * width },
    { name: `${name}.counts`, type: 0, shape: [1, 1], bytes: 4 },
  ]);
  const bytes = await collectBytes(
    writeGguf(metadata, tensors, ({ bytes: size }) => [new Uint8Array(new Float32Array(size / 4).fill(3072).buffer)]),
  );
  return [
    {
      name: "bloom",
      bytes,
      form: "bytes",
      async read(given) {
        writeFileSync(path, given);
        const reader = await openImatrix(path, entries);
        try {
          for (const entry of entries) {
            const { means, tokens } = reader.read(entry, 0);
            demand(isSize(tokens), `${entry.name} is a mean over ${tokens} tokens`);
            demand(means.length === entry.width, `${entry.name} has ${means.length} means`);
            demand(
              means.every((mean) => mean >= 0 && mean < Infinity),
              `${entry.name} has a mean that is not finite`,
            );
          }
        } finally {
          reader.close();
        }
      },
    },
  ];
};

/** A folder with the smallest ONNX decoder of the tests. */
function graphFolder(folder: string): { readonly bytes: Uint8Array; readonly write: (bytes: Uint8Array) => void } {
  mkdirSync(folder, { recursive: true });
  const exported = fixture("models/test/fixtures/onnx/llama-nameless-external");
  const twin = fixture("models/test/fixtures/forward/llama-grouped-f32");
  for (const name of readdirSync(exported)) copyFileSync(join(exported, name), join(folder, name));
  for (const name of ["config.json", "tokenizer.json"]) copyFileSync(join(twin, name), join(folder, name));
  const path = join(folder, "model.onnx");
  return { bytes: readFileSync(path), write: (bytes) => writeFileSync(path, bytes) };
}

/** The file of an ONNX decoder: read, checked and cut into blocks, but not run. */
export const onnx: Reader = async (folder) => {
  const { bytes, write } = graphFolder(folder);
  return [
    {
      name: "llama",
      bytes,
      form: "bytes",
      async read(given) {
        write(given);
        const model = await openModel(folder);
        try {
          requireSizes(model);
          for (const { sites } of model.blocks) {
            for (const { width, weights } of sites) {
              demand(isSize(width), `a site has ${width} channels`);
              for (const { tensor, rows } of weights) {
                demand(model.checkpoint.has(tensor), `the weight ${tensor} is not in the file`);
                demandSame((await model.readWeight(tensor)).length, rows * width, `the values of ${tensor}`);
              }
            }
          }
        } finally {
          await model.close();
        }
      },
    },
  ];
};

/** The same file, and where it is accepted, ONNX Runtime runs it. */
export const onnxRun: Reader = async (folder) => {
  const { bytes, write } = graphFolder(folder);
  return [
    {
      name: "llama",
      bytes,
      form: "bytes",
      async read(given) {
        write(given);
        const model = await openModel(folder);
        try {
          const forward = await model.forward({ threads: 1 });
          try {
            const states = await runBlocks(model, forward, new Map([["hidden", Int32Array.of(1, 2, 3, 4)]]));
            demandSame([states.rows, states.columns], [4, model.hiddenSize], "the shape of the last states");
          } finally {
            await forward.close();
          }
        } finally {
          await model.close();
        }
      },
    },
  ];
};
