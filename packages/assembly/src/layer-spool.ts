import { open, rm, type FileHandle } from "node:fs/promises";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BadDataError, type ArtifactStream } from "@mbs/contracts";
import { parseMetadata, readLayers, type LayerSummary, type LayersMetadata } from "@mbs/artifacts";
import { bytesOfDtype, type Model } from "@mbs/models";

/** What is known of one edited tensor once its layer was read. */
export interface SpooledLayer {
  readonly step: string;
  readonly site: string;
  readonly summary: LayerSummary;
}

/** The values of all layers, in a temporary file: layers come by step, weight files want them by offset. */
export interface LayerSpool {
  readonly layers: ReadonlyMap<string, SpooledLayer>;
  /** Metadata of every layers artifact, in the order given. */
  readonly metadata: readonly LayersMetadata[];
  read(tensor: string, offset: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

interface Place extends SpooledLayer {
  readonly begin: number;
}

async function spoolInto(
  file: FileHandle,
  model: Model,
  streams: readonly ArtifactStream[],
  signal: AbortSignal,
): Promise<{ places: Map<string, Place>; metadata: LayersMetadata[] }> {
  const places = new Map<string, Place>();
  const metadata: LayersMetadata[] = [];
  let end = 0;
  for (const stream of streams) {
    const { model: address, ...rest } = parseMetadata("layers", stream.schema);
    if (address !== model.address) {
      throw new BadDataError(
        `the layers were made from model ${address}, but ${model.folder} is ${model.address}; give the model that was compressed`,
        { expected: address, found: model.address },
      );
    }
    metadata.push({ model: address, ...rest });
    for await (const { step, site, tensor, summary, values } of readLayers(stream)) {
      signal.throwIfAborted();
      const info = model.checkpoint.info(tensor);
      const [rows, columns] = info.shape;
      if (info.dtype !== values.dtype || rows !== values.rows || columns !== values.columns) {
        throw new BadDataError(
          `layer ${tensor} is ${values.dtype} [${values.rows}, ${values.columns}], the model's tensor ${info.storedDtype} [${info.shape.join(", ")}]; compress again with this model`,
          { tensor },
        );
      }
      if (values.data.length !== rows * columns * bytesOfDtype(info.dtype)) {
        throw new BadDataError(`layer ${tensor} has ${values.data.length} bytes of values, which is not its shape's size`, {
          tensor,
        });
      }
      if (places.has(tensor))
        throw new BadDataError(`tensor ${tensor} has two layers; give each layers artifact once`, { tensor });
      await file.write(values.data, 0, values.data.length, end);
      places.set(tensor, { step, site, summary, begin: end });
      end += values.data.length;
    }
  }
  return { places, metadata };
}

/**
 * Reads layers artifacts into a temporary file, checking each against the model.
 *
 * @throws {BadDataError} when a layer is of another model, of an unknown tensor or shape, or comes twice
 */
export async function spoolLayers(model: Model, streams: readonly ArtifactStream[], signal: AbortSignal): Promise<LayerSpool> {
  const folder = await mkdtemp(join(tmpdir(), "mbs-assemble-"));
  const file = await open(join(folder, "values"), "wx+");
  const close = async () => {
    await file.close();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const { places, metadata } = await spoolInto(file, model, streams, signal);
    return {
      layers: places,
      metadata,
      async read(tensor, offset, length) {
        const place = places.get(tensor);
        if (place === undefined) throw new BadDataError(`tensor ${tensor} has no layer`, { tensor });
        const bytes = new Uint8Array(length);
        await file.read(bytes, 0, length, place.begin + offset);
        return bytes;
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
