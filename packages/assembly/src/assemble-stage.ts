import { createReadStream } from "node:fs";
import { join } from "node:path";
import { encodeFiles } from "@mbs/artifacts";
import type { FilePiece } from "@mbs/artifacts";
import { InterruptedError, parseOptions, UsageError } from "@mbs/contracts";
import type { ArtifactStream, OptionTable, Stage, StageContext } from "@mbs/contracts";
import { openModel, writeSafetensors } from "@mbs/models";
import type { Model } from "@mbs/models";
import { listCarriedFiles } from "./carried-files.ts";
import { spoolLayers } from "./layer-spool.ts";
import type { LayerSpool } from "./layer-spool.ts";
import { formatRecord, recordFile } from "./model-record.ts";

const options = {
  model: { kind: "resource", resource: "model", description: "Folder of the model that was compressed." },
} as const satisfies OptionTable;

/** Bytes of an unchanged tensor that are in memory at a time. */
const pieceBytes = 3 * 1024 * 1024;

async function* rawPieces(model: Model, name: string, bytes: number): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < bytes; offset += pieceBytes) {
    yield await model.checkpoint.readRaw(name, offset, Math.min(pieceBytes, bytes - offset));
  }
}

async function* contentOf(path: string, model: Model, layers: LayerSpool): AsyncGenerator<Uint8Array> {
  const weights = model.checkpoint.files.find(({ file }) => file === path);
  if (path === recordFile) {
    yield new TextEncoder().encode(formatRecord(model.address, layers));
  } else if (weights !== undefined) {
    yield* writeSafetensors(weights.tensors, { format: "pt", ...weights.metadata }, ({ name, bytes }) => {
      const changed = layers.read(name);
      return changed === undefined ? rawPieces(model, name, bytes) : [changed];
    });
  } else {
    for await (const piece of createReadStream(join(model.folder, path))) yield piece as Uint8Array;
  }
}

async function* assembleAll(streams: readonly ArtifactStream[], model: Model, context: StageContext): AsyncGenerator<FilePiece> {
  const { signal, progress } = context;
  let layers: LayerSpool | undefined;
  try {
    layers = await spoolLayers(streams, model);
    const weightFiles = model.checkpoint.files.map(({ file }) => file);
    const paths = [...new Set([...(await listCarriedFiles(model.folder)), ...weightFiles, recordFile])].sort();
    for (const [index, path] of paths.entries()) {
      let offset = 0;
      for await (const data of contentOf(path, model, layers)) {
        if (signal.aborted) throw new InterruptedError("assemble: stopped");
        yield { path, offset, data };
        offset += data.length;
      }
      if (offset === 0) yield { path, offset, data: new Uint8Array(0) };
      progress({ activity: "assemble", done: index + 1, total: paths.length, unit: "files" });
    }
  } finally {
    layers?.close();
    await model.close();
  }
}

/**
 * Stage `assemble`: layers and the model that they change to a model folder.
 *
 * The folder is the source's, byte for byte, but for the changed tensors: same shards, same dtypes (f32 stays f32), and
 * mbs.json says how it was made.
 */
export const assemble: Stage = {
  name: "assemble",
  summary: "Write a Hugging Face model folder with the compressed weights.",
  examples: [
    "mbs assemble --model M --output out/ < layers.arrow",
    "mbs assemble --model M --output out/ --layers layers-1.arrow --layers layers-2.arrow - < layers-0.arrow",
  ],
  inputs: { layers: { kinds: ["layers"], many: true, description: "what `mbs compress` made, all of one model" } },
  outputs: { files: { kind: "files", description: "the model folder" } },
  options,
  async run(inputs, raw, context) {
    const values = parseOptions(options, raw, "assemble");
    const layers = inputs["layers"] ?? [];
    if (layers.length === 0) throw new UsageError("assemble: give it layers");
    const model = await openModel(values.model);
    return { files: encodeFiles(assembleAll(layers, model, context), { model: model.address }) };
  },
};
