import { addressOnTheWay, layerShape, layerValues, parseMetadata, readLayers } from "@mbs/artifacts";
import { BadDataError } from "@mbs/contracts";
import type { ArtifactStream, ObjectPool, Poolable } from "@mbs/contracts";
import type { GivenWeights, Model } from "@mbs/models";
import { leaveUnread } from "./state-source.ts";

/** The weights that layers give to one block. */
export interface BlockLayers {
  /** Tensor → values exactly as they will be written, as float32. */
  readonly weights: GivenWeights;
  /** The same by the content address of the artifact that gives them, in order. */
  readonly byAddress: ReadonlyMap<string, GivenWeights>;
}

export const noLayers: BlockLayers = { weights: new Map(), byAddress: new Map() };

/** What one artifact gives to a block, held between the captures of the block: reading it checks every code again. */
class HeldLayers implements Poolable {
  readonly weights: GivenWeights;

  constructor(weights: GivenWeights) {
    this.weights = weights;
  }

  get bytes(): number {
    return [...this.weights.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  async close(): Promise<void> {}
}

const keyOf = (address: string, model: Model, index: number): string => `layers ${address} of block ${index} of ${model.address}`;

/** Leaves layers for the next capture of their block. */
export async function keepLayers(pool: ObjectPool, { byAddress }: BlockLayers, model: Model, index: number): Promise<void> {
  for (const [address, weights] of byAddress) await pool.put(keyOf(address, model, index), new HeldLayers(weights));
}

/** @throws {BadDataError} as readBlockLayers */
async function readOne(source: ArtifactStream, model: Model, index: number): Promise<readonly [string, GivenWeights]> {
  const block = model.blocks[index];
  const shapes = new Map(
    block?.sites.flatMap(({ width, weights, scaledBy = [] }) => [
      ...weights.map(({ tensor, rows }) => [tensor, { rows, width }] as const),
      ...scaledBy.map(({ tensor }) => [tensor, { rows: 1, width }] as const),
    ]),
  );
  const { model: address } = parseMetadata("layers", source.schema);
  if (address !== model.address) {
    throw new BadDataError(`the layers are of model ${address}, the folder is ${model.address}; compress again`, {
      expected: model.address,
      found: address,
    });
  }
  const weights = new Map<string, Float32Array>();
  const addressed = addressOnTheWay(source);
  for await (const layer of readLayers(addressed.stream)) {
    const { tensor } = layer;
    const shape = shapes.get(tensor);
    if (shape === undefined) {
      throw new BadDataError(
        `layer ${tensor} does not belong to block ${block?.name ?? index}; give the layers of that block alone`,
        { tensor },
      );
    }
    const { rows, columns } = layerShape(layer);
    if (rows !== shape.rows || columns !== shape.width) {
      throw new BadDataError(
        `layer ${tensor} has shape [${rows}, ${columns}], the model's [${shape.rows}, ${shape.width}]; compress again`,
        { tensor },
      );
    }
    if (weights.has(tensor)) throw twice(tensor);
    weights.set(tensor, layerValues(layer));
  }
  return [addressed.receipt().address, weights];
}

const twice = (tensor: string): BadDataError =>
  new BadDataError(`two layers change tensor ${tensor}; give one of them`, { tensor });

/**
 * Reads layers of one block, but for those that are held.
 *
 * @throws {BadDataError} when they are of another model or block, of another shape, or name a tensor twice
 */
export async function readBlockLayers(
  streams: readonly ArtifactStream[],
  model: Model,
  index: number,
  pool: ObjectPool | undefined,
): Promise<BlockLayers> {
  const byAddress = new Map<string, GivenWeights>();
  const weights = new Map<string, Float32Array>();
  for (const source of streams) {
    const { address: known } = source;
    const held = known === undefined ? undefined : pool?.take(keyOf(known, model, index));
    const isHeld = known !== undefined && held instanceof HeldLayers;
    if (isHeld) await leaveUnread(source);
    const [address, own] = isHeld ? [known, held.weights] : await readOne(source, model, index);
    byAddress.set(address, own);
    for (const [tensor, values] of own) {
      if (weights.has(tensor)) throw twice(tensor);
      weights.set(tensor, values);
    }
  }
  return { weights, byAddress };
}
