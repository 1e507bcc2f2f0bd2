import { addressOnTheWay, parseMetadata, readLayers, Spool } from "@mbs/artifacts";
import type { LayersMetadata, LayerSummary, SpoolPlace } from "@mbs/artifacts";
import { BadDataError } from "@mbs/contracts";
import type { ArtifactStream } from "@mbs/contracts";
import type { Model } from "@mbs/models";

/** How one artifact of layers was made. */
export interface LayersOrigin extends Omit<LayersMetadata, "model"> {
  readonly address: string;
}

/** The new values of a model's tensors, in a temporary file until their place in the weight files comes. */
export interface LayerSpool {
  readonly origins: readonly LayersOrigin[];
  /** By tensor. */
  readonly summaries: ReadonlyMap<string, LayerSummary>;
  /** The bytes to write for a tensor, in the dtype of the source; undefined where nothing changed it. */
  read(tensor: string): Uint8Array | undefined;
  close(): void;
}

function checkLayer(model: Model, tensor: string, values: { dtype: string; rows: number; columns: number }): void {
  if (!model.steps.some(({ sites }) => sites.some(({ weights }) => weights.some((weight) => weight.tensor === tensor)))) {
    throw new BadDataError(`layer ${tensor}: the model has no such weight; compress again with this model`, { tensor });
  }
  const { dtype, shape } = model.checkpoint.info(tensor);
  const expected = `${dtype ?? ""} [${shape.join(", ")}]`;
  const found = `${values.dtype} [${values.rows}, ${values.columns}]`;
  if (expected !== found) {
    throw new BadDataError(`layer ${tensor} is ${found}, the model's tensor ${expected}; compress again with this model`, {
      tensor,
      expected,
      found,
    });
  }
}

/**
 * Reads layers, one tensor in memory at a time, and checks that each fits the model.
 *
 * @throws {BadDataError} when layers are of another model, unknown, of another dtype or shape, or change a tensor twice
 */
export async function spoolLayers(streams: readonly ArtifactStream[], model: Model): Promise<LayerSpool> {
  const spool = new Spool();
  const places = new Map<string, SpoolPlace>();
  const summaries = new Map<string, LayerSummary>();
  const origins: LayersOrigin[] = [];
  try {
    for (const source of streams) {
      const { model: address, ...origin } = parseMetadata("layers", source.schema);
      if (address !== model.address) {
        throw new BadDataError(`the layers are of model ${address}, the folder is ${model.address}; assemble with that model`, {
          expected: model.address,
          found: address,
        });
      }
      const addressed = addressOnTheWay(source);
      for await (const { tensor, values, summary } of readLayers(addressed.stream)) {
        checkLayer(model, tensor, values);
        if (places.has(tensor)) throw new BadDataError(`two layers change tensor ${tensor}; give one of them`, { tensor });
        places.set(tensor, spool.append(values.data));
        summaries.set(tensor, summary);
      }
      origins.push({ ...origin, address: addressed.receipt().address });
    }
    if (places.size === 0) throw new BadDataError("the layers change no tensor; compress at least one site");
  } catch (error) {
    spool.close();
    throw error;
  }
  return {
    origins,
    summaries,
    read(tensor) {
      const place = places.get(tensor);
      return place === undefined ? undefined : spool.read(place);
    },
    close: () => spool.close(),
  };
}
