import { createReadStream } from "node:fs";
import { join } from "node:path";
import type { GraphModel } from "@mbs/models";
import type { FormattedModel, OutputFile } from "../format.ts";
import type { LayerSpool } from "../layer-spool.ts";

/** Bytes of a file that are replaced by as many others. */
interface Patch {
  readonly offset: number;
  readonly length: number;
  readonly tensor: string;
}

async function* patched(path: string, patches: readonly Patch[], layers: LayerSpool): AsyncGenerator<Uint8Array> {
  const copy = (start: number, end?: number): AsyncIterable<Uint8Array> =>
    createReadStream(path, { start, ...(end !== undefined && { end: end - 1 }) }) as AsyncIterable<Uint8Array>;
  let at = 0;
  for (const { offset, length, tensor } of patches) {
    if (at < offset) yield* copy(at, offset);
    yield layers.read(tensor) ?? new Uint8Array(0);
    at = offset + length;
  }
  yield* copy(at);
}

/** The files of an ONNX model, byte for byte but for the values of the changed tensors. */
export function patchedFiles({ folder, checkpoint, places }: GraphModel, layers: LayerSpool): FormattedModel {
  const patches = [...layers.summaries.keys()].flatMap((tensor) => {
    const place = places.get(tensor);
    return place === undefined ? [] : [{ ...place, tensor, length: checkpoint.info(tensor).bytes }];
  });
  const files = checkpoint.files.map(({ file }): OutputFile => {
    const own = patches.filter((patch) => patch.file === file).sort((a, b) => a.offset - b.offset);
    return { path: file, content: () => patched(join(folder, file), own, layers) };
  });
  return { files, compressedBytes: patches.reduce((sum, { length }) => sum + length, 0) };
}
