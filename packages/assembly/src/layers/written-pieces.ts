import type { Model } from "@mbs/models";
import type { LayerSpool } from "./layer-spool.ts";

/** Bytes of an unchanged tensor that are in memory at a time. */
const pieceBytes = 3 * 1024 * 1024;

/** An unchanged tensor of a model, as it is stored, piece by piece. */
export async function* rawPieces(model: Model, name: string, bytes: number): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < bytes; offset += pieceBytes) {
    yield await model.checkpoint.readRaw(name, offset, Math.min(pieceBytes, bytes - offset));
  }
}

/** The bytes of a tensor in the dtype of the source: a layer's where one changes it. */
export function writtenPieces(
  model: Model,
  layers: LayerSpool,
  { name, bytes }: { readonly name: string; readonly bytes: number },
): AsyncIterable<Uint8Array> | Iterable<Uint8Array> {
  const changed = layers.read(name);
  return changed === undefined ? rawPieces(model, name, bytes) : [changed];
}
