import { addressOnTheWay, parseMetadata, readLayers, ScratchFile } from "@mbs/artifacts";
import type { LayerRecord, LayersMetadata, LayerSummary, ScratchSlot, TensorData } from "@mbs/artifacts";
import { BadDataError } from "@mbs/contracts";
import type { ArtifactStream } from "@mbs/contracts";
import { transpose } from "@mbs/models";
import type { Model, SiteTensor } from "@mbs/models";
import { convertWeights, type WeightDtype } from "@mbs/numbers";
import { siteWeights, embeddingsWeights } from "./site-weights.ts";

/** How one artifact of layers was made. */
export interface LayersOrigin extends Omit<LayersMetadata, "model"> {
  readonly address: string;
}

/** What a layer may say of a tensor beside its values. */
export type LayerPart = "mask" | "codes" | "scales" | "zeros" | "groups" | "blocks" | "blockColumns";

/** Output and input features. */
export interface LayerShape {
  readonly rows: number;
  readonly columns: number;
}

/** A part in the temporary file, and what its bytes mean. */
interface KeptPart extends Omit<TensorData, "data"> {
  readonly slot: ScratchSlot;
}

/** The new values of a model's tensors, in a temporary file until the weight files are written. */
export interface ScratchLayers {
  readonly origins: readonly LayersOrigin[];
  /** By weight; norms that were scaled along with one are not among them. */
  readonly summaries: ReadonlyMap<string, LayerSummary>;
  /** Of each weight as a linear layer, however it is stored. */
  readonly shapes: ReadonlyMap<string, LayerShape>;
  /** The bytes to write for a tensor, in the dtype of the source; undefined where nothing changed it. */
  read(tensor: string): Uint8Array | undefined;
  /** Whether a layer has a part of those that were kept. */
  has(tensor: string, part: LayerPart): boolean;
  /** A part of a layer; undefined where it has none. */
  readPart(tensor: string, part: LayerPart): TensorData | undefined;
  close(): void;
}

/**
 * The same layers under other names, or without some.
 *
 * @param names tensor → its new name, or undefined where its layer is left out; tensors that are not in it keep theirs
 */
export function viewOf(layers: ScratchLayers, names: ReadonlyMap<string, string | undefined>): ScratchLayers {
  const former = new Map([...names].flatMap(([tensor, name]) => (name === undefined ? [] : [[name, tensor] as const])));
  const formerOf = (tensor: string): string | undefined => former.get(tensor) ?? (names.has(tensor) ? undefined : tensor);
  const renamed = <Value>(map: ReadonlyMap<string, Value>): ReadonlyMap<string, Value> =>
    new Map(
      [...map].flatMap(([tensor, value]) => {
        const name = names.has(tensor) ? names.get(tensor) : tensor;
        return name === undefined ? [] : [[name, value] as const];
      }),
    );
  return {
    ...layers,
    summaries: renamed(layers.summaries),
    shapes: renamed(layers.shapes),
    read(tensor) {
      const own = formerOf(tensor);
      return own === undefined ? undefined : layers.read(own);
    },
    has(tensor, part) {
      const own = formerOf(tensor);
      return own !== undefined && layers.has(own, part);
    },
    readPart(tensor, part) {
      const own = formerOf(tensor);
      return own === undefined ? undefined : layers.readPart(own, part);
    },
  };
}

/** Vectors of norms, by name, that take the inverse of a site's scale. */
const normVectors = (model: Model): ReadonlyMap<string, SiteTensor> =>
  new Map(
    model.blocks.flatMap(({ sites }) =>
      sites.flatMap(({ scaledBy = [] }) => scaledBy.map(({ tensor }) => [tensor, { tensor, rows: 1 }] as const)),
    ),
  );

/** Tensors that repeat another one, as a head that is stored beside the embedding that it equals: what that becomes, they become. */
const copiedTensors = (model: Model): ReadonlyMap<string, string> =>
  new Map(
    (model.kind === "architecture" ? model.layout.tensors : []).flatMap(({ name, copyOf }) =>
      copyOf === undefined ? [] : [[name, copyOf] as const],
    ),
  );

/** @returns the weight that a layer changes */
function checkLayer(
  model: Model,
  weights: ReadonlyMap<string, SiteTensor>,
  { tensor, values, summary }: LayerRecord,
): SiteTensor {
  const weight = weights.get(tensor);
  if (weight === undefined) {
    throw new BadDataError(`layer ${tensor}: the model has no such weight; compress again with this model`, { tensor });
  }
  const { dtype, shape } = model.checkpoint.info(tensor);
  const rows = shape.length === 1 ? [1, ...shape] : shape;
  // values of blocks are not rounded to the model's dtype
  const own = summary.grid === undefined ? (dtype ?? "") : "f32";
  const expected = `${own} [${(weight.transposed ? rows.toReversed() : rows).join(", ")}]`;
  const found = `${values.dtype} [${values.rows}, ${values.columns}]`;
  if (expected !== found) {
    throw new BadDataError(`layer ${tensor} is ${found}, the model's tensor ${expected}; compress again with this model`, {
      tensor,
      expected,
      found,
    });
  }
  return weight;
}

/** The bytes of a layer's values as the checkpoint stores them. */
function storedBytes(values: TensorData, wanted: WeightDtype, { tensor, transposed = false }: SiteTensor): Uint8Array {
  const { dtype, rows, data: bytes } = values;
  const data = dtype === wanted ? bytes : convertWeights({ dtype, bytes }, wanted, `layer ${tensor}`);
  if (!transposed) return data;
  // copied, since bytes from a stream may lie at any offset
  const { buffer } = data.slice();
  const turned = transpose(wanted === "f32" ? new Float32Array(buffer) : new Uint16Array(buffer), rows);
  return new Uint8Array(turned.buffer, turned.byteOffset, turned.byteLength);
}

function keepParts(scratch: ScratchFile, layer: LayerRecord, wanted: readonly LayerPart[]): ReadonlyMap<LayerPart, KeptPart> {
  const kept = new Map<LayerPart, KeptPart>();
  for (const part of wanted) {
    const matrix = layer[part];
    if (matrix === undefined) continue;
    const { dtype, rows, columns, data } = matrix;
    kept.set(part, { dtype, rows, columns, slot: scratch.append(data) });
  }
  return kept;
}

/**
 * Reads layers, one tensor in memory at a time, and checks that each fits the model.
 *
 * @param streams none for a model that stays as it is
 * @param wanted the parts to keep beside the values
 * @throws {BadDataError} when layers are of another model, unknown, of another dtype or shape, or change a tensor twice
 */
export async function scratchLayersOf(
  streams: readonly ArtifactStream[],
  model: Model,
  wanted: readonly LayerPart[],
): Promise<ScratchLayers> {
  const scratch = new ScratchFile();
  const slots = new Map<string, ScratchSlot>();
  const parts = new Map<string, ReadonlyMap<LayerPart, KeptPart>>();
  const summaries = new Map<string, LayerSummary>();
  const shapes = new Map<string, LayerShape>();
  const norms = normVectors(model);
  const copies = copiedTensors(model);
  const changeable = [...siteWeights(model), ...embeddingsWeights(model)];
  const weights = new Map([...norms, ...changeable.map((weight) => [weight.tensor, weight] as const)]);
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
      for await (const layer of readLayers(addressed.stream)) {
        const { tensor, values, summary } = layer;
        const weight = checkLayer(model, weights, layer);
        if (slots.has(tensor)) throw new BadDataError(`two layers change tensor ${tensor}; give one of them`, { tensor });
        const dtype = model.checkpoint.info(tensor).dtype ?? model.dtype;
        slots.set(tensor, scratch.append(storedBytes(values, dtype, weight)));
        if (norms.has(tensor)) continue;
        parts.set(tensor, keepParts(scratch, layer, wanted));
        summaries.set(tensor, summary);
        shapes.set(tensor, { rows: values.rows, columns: values.columns });
      }
      origins.push({ ...origin, address: addressed.receipt().address });
    }
    if (streams.length > 0 && slots.size === 0) throw new BadDataError("the layers change no tensor; compress at least one site");
  } catch (error) {
    scratch.close();
    throw error;
  }
  return {
    origins,
    summaries,
    shapes,
    read(tensor) {
      const slot = slots.get(copies.get(tensor) ?? tensor);
      return slot === undefined ? undefined : scratch.read(slot);
    },
    has: (tensor, part) => parts.get(tensor)?.has(part) === true,
    readPart(tensor, part) {
      const kept = parts.get(tensor)?.get(part);
      if (kept === undefined) return undefined;
      const { slot, ...shape } = kept;
      return { ...shape, data: scratch.read(slot) };
    },
    close: () => scratch.close(),
  };
}
