import {
  addressOnTheWay,
  keepLayer,
  keepMatrix,
  layerShape,
  layerValues,
  parseMetadata,
  readLayer,
  readLayers,
  readMatrix,
  rowRanges,
  ScratchFile,
} from "@mbs/artifacts";
import type {
  LayerRecord,
  LayersMetadata,
  LayerSource,
  LayerSummary,
  ScratchLayer,
  ScratchMatrix,
  TensorData,
} from "@mbs/artifacts";
import { BadDataError } from "@mbs/contracts";
import type { ArtifactStream } from "@mbs/contracts";
import { transpose } from "@mbs/models";
import type { Model, SiteTensor } from "@mbs/models";
import { encodeWeights, type WeightDtype } from "@mbs/numbers";
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

/** What changes one tensor, in the temporary file. */
interface KeptLayer {
  readonly layer: ScratchLayer;
  /** Those beside what says its values. */
  readonly parts: ReadonlyMap<LayerPart, ScratchMatrix>;
  /** How the checkpoint stores the tensor. */
  readonly stored: SiteTensor & { readonly dtype: WeightDtype };
}

/** The new values of a model's tensors, in a temporary file until the weight files are written. */
export interface ScratchLayers {
  readonly origins: readonly LayersOrigin[];
  /** By weight; norms that were scaled along with one are not among them. */
  readonly summaries: ReadonlyMap<string, LayerSummary>;
  /** Of each weight as a linear layer, however it is stored. */
  readonly shapes: ReadonlyMap<string, LayerShape>;
  /** The bytes to write for a tensor, in the dtype of the source, whole values at a time; undefined where nothing changed it. */
  pieces(tensor: string): Iterable<Uint8Array> | undefined;
  /** Whether a layer has a part of those that were kept: its blocks in any case. */
  has(tensor: string, part: LayerPart): boolean;
  /**
   * A part of a layer; undefined where it has none.
   *
   * @param rows the first of them, and the one behind the last; default all
   */
  readPart(tensor: string, part: LayerPart, rows?: readonly [number, number]): TensorData | undefined;
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
    pieces(tensor) {
      const own = formerOf(tensor);
      return own === undefined ? undefined : layers.pieces(own);
    },
    has(tensor, part) {
      const own = formerOf(tensor);
      return own !== undefined && layers.has(own, part);
    },
    readPart(tensor, part, rows) {
      const own = formerOf(tensor);
      return own === undefined ? undefined : layers.readPart(own, part, rows);
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
function checkLayer(model: Model, weights: ReadonlyMap<string, SiteTensor>, layer: LayerRecord): SiteTensor {
  const { tensor, summary } = layer;
  const weight = weights.get(tensor);
  if (weight === undefined) {
    throw new BadDataError(`layer ${tensor}: the model has no such weight; compress again with this model`, { tensor });
  }
  const { dtype, shape } = model.checkpoint.info(tensor);
  const sides = shape.length === 1 ? [1, ...shape] : shape;
  // values of blocks are not rounded to the model's dtype
  const own = summary.grid === undefined ? (dtype ?? "") : "f32";
  const expected = `${own} [${(weight.transposed ? sides.toReversed() : sides).join(", ")}]`;
  const written = layerShape(layer);
  const found = `${written.dtype} [${written.rows}, ${written.columns}]`;
  if (expected !== found) {
    throw new BadDataError(`layer ${tensor} is ${found}, the model's tensor ${expected}; compress again with this model`, {
      tensor,
      expected,
      found,
    });
  }
  return weight;
}

/** Some rows of a layer as bytes of the checkpoint's dtype, to which values are rounded and blocks are not. */
const bytesOf = (rows: LayerSource, dtype: WeightDtype): Uint8Array =>
  rows.values?.data ?? encodeWeights(dtype, layerValues(rows));

/** The bytes of a layer's values as the checkpoint stores them. */
function* storedPieces(scratch: ScratchFile, { layer, stored }: KeptLayer): Generator<Uint8Array> {
  const { dtype, transposed = false } = stored;
  const shape = layerShape(layer);
  if (!transposed) {
    for (const [first, last] of rowRanges(shape)) yield bytesOf(readLayer(scratch, layer, first, last), dtype);
    return;
  }
  const { buffer } = bytesOf(readLayer(scratch, layer), dtype);
  const turned = transpose(dtype === "f32" ? new Float32Array(buffer) : new Uint16Array(buffer), shape.rows);
  yield new Uint8Array(turned.buffer, turned.byteOffset, turned.byteLength);
}

function keepParts(
  scratch: ScratchFile,
  record: LayerRecord,
  layer: ScratchLayer,
  wanted: readonly LayerPart[],
): ReadonlyMap<LayerPart, ScratchMatrix> {
  const { blocks, blockColumns } = layer;
  const kept = new Map<LayerPart, ScratchMatrix>();
  if (blocks) kept.set("blocks", blocks);
  if (blockColumns) kept.set("blockColumns", blockColumns);
  for (const part of wanted) {
    const matrix = record[part];
    if (matrix !== undefined) kept.set(part, keepMatrix(scratch, matrix));
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
  const kept = new Map<string, KeptLayer>();
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
        const { tensor, summary } = layer;
        const weight = checkLayer(model, weights, layer);
        if (kept.has(tensor)) throw new BadDataError(`two layers change tensor ${tensor}; give one of them`, { tensor });
        const dtype = model.checkpoint.info(tensor).dtype ?? model.dtype;
        const own = keepLayer(scratch, layer);
        kept.set(tensor, { layer: own, parts: keepParts(scratch, layer, own, wanted), stored: { ...weight, dtype } });
        if (norms.has(tensor)) continue;
        const { rows, columns } = layerShape(layer);
        summaries.set(tensor, summary);
        shapes.set(tensor, { rows, columns });
      }
      origins.push({ ...origin, address: addressed.receipt().address });
    }
    if (streams.length > 0 && kept.size === 0) throw new BadDataError("the layers change no tensor; compress at least one site");
  } catch (error) {
    scratch.close();
    throw error;
  }
  return {
    origins,
    summaries,
    shapes,
    pieces(tensor) {
      const own = kept.get(copies.get(tensor) ?? tensor);
      return own && storedPieces(scratch, own);
    },
    has: (tensor, part) => kept.get(tensor)?.parts.has(part) === true,
    readPart(tensor, part, rows) {
      const own = kept.get(tensor)?.parts.get(part);
      return own && readMatrix(scratch, own, rows?.[0], rows?.[1]);
    },
    close: () => scratch.close(),
  };
}
