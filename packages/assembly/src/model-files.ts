import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { FilePiece } from "@mbs/artifacts";
import { indexFile, writeSafetensors, type Model, type TensorInfo } from "@mbs/models";
import type { LayerSpool } from "./layer-spool.ts";

/** Files of the source that a compressed model needs as they are, where the source has them. */
const carried = [
  "config.json",
  "generation_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "distribution.json",
  indexFile,
] as const;

/** Bytes of one piece: small enough for one batch of an artifact. */
const pieceBytes = 1 << 20;

async function* pieces(path: string, bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<FilePiece> {
  let offset = 0;
  for await (const data of bytes) {
    yield { path, offset, data };
    offset += data.length;
  }
}

function* cut(bytes: Uint8Array): Generator<Uint8Array> {
  for (let offset = 0; offset < bytes.length; offset += pieceBytes) yield bytes.subarray(offset, offset + pieceBytes);
}

async function* tensorPieces(model: Model, spool: LayerSpool, { name, bytes }: TensorInfo): AsyncGenerator<Uint8Array> {
  const edited = spool.layers.has(name);
  for (let offset = 0; offset < bytes; offset += pieceBytes) {
    const length = Math.min(pieceBytes, bytes - offset);
    yield edited ? await spool.read(name, offset, length) : await model.checkpoint.readRaw(name, offset, length);
  }
}

async function readIfPresent(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** What was done to the model, for people and programs that find the folder later. */
function describe(model: Model, spool: LayerSpool): Uint8Array {
  const tensors = [...spool.layers]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([tensor, layer]) => ({ tensor, step: layer.step, site: layer.site, ...layer.summary }));
  const [first] = spool.metadata;
  const text = JSON.stringify(
    {
      format: "mbs-model",
      version: 1,
      source: model.address,
      solver: first?.solver,
      options: first?.options,
      order: first?.order,
      weights: first?.weights,
      tensors,
    },
    null,
    2,
  );
  return new TextEncoder().encode(`${text}\n`);
}

/**
 * The files of a Hugging Face model folder: weights as in the source, in the same shards and dtypes, with the tensors that
 * have a layer replaced; configuration and tokenizer byte for byte; `mbs.json` saying what was done.
 */
export async function* modelFiles(model: Model, spool: LayerSpool): AsyncGenerator<FilePiece> {
  for (const name of carried) {
    const bytes = await readIfPresent(join(model.folder, name));
    if (bytes) yield* pieces(name, cut(bytes));
  }
  for (const { file, metadata, tensors } of model.checkpoint.files) {
    yield* pieces(
      file,
      writeSafetensors(tensors, { format: "pt", ...metadata }, (tensor) => tensorPieces(model, spool, tensor)),
    );
  }
  yield* pieces("mbs.json", cut(describe(model, spool)));
}
