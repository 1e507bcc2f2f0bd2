import type { Model } from "@mbs/models";

/** Bytes of an unchanged tensor that are in memory at a time. */
const pieceBytes = 3 * 1024 * 1024;

/** An unchanged tensor of a model, as it is stored, piece by piece. */
export async function* rawPieces(model: Model, name: string, bytes: number): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < bytes; offset += pieceBytes) {
    yield await model.checkpoint.readRaw(name, offset, Math.min(pieceBytes, bytes - offset));
  }
}
