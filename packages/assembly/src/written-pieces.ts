import type { Model } from "@mbs/models";
import type { LayerSpool } from "./layer-spool.ts";
import { rawPieces } from "./raw-pieces.ts";

/** The bytes of a tensor in the dtype of the source: a layer's where one changes it. */
export function writtenPieces(
  model: Model,
  layers: LayerSpool,
  { name, bytes }: { readonly name: string; readonly bytes: number },
): AsyncIterable<Uint8Array> | Iterable<Uint8Array> {
  const changed = layers.read(name);
  return changed === undefined ? rawPieces(model, name, bytes) : [changed];
}
