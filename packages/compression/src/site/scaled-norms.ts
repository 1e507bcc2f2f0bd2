import type { LayerRecord } from "@mbs/artifacts";
import { at, InternalError } from "@mbs/contracts";
import type { Model, ScaledTensor } from "@mbs/models";
import { roundTo } from "@mbs/numbers";
import { weightData } from "./tensor-data.ts";

/**
 * Layers that divide a site's input channel by channel, by changing the norm before it.
 *
 * @param layer one of the site's weights, with the scale that its values are meant for
 * @returns none where the layer has no scale
 */
export async function scaledNorms(
  model: Model,
  { block, site, summary, inputScale }: LayerRecord,
  scaledBy: readonly ScaledTensor[],
): Promise<LayerRecord[]> {
  if (inputScale === undefined) return [];
  const scale = new Float32Array(inputScale.data.slice().buffer);
  const layers: LayerRecord[] = [];
  for (const { tensor, offset } of scaledBy) {
    const dtype = model.checkpoint.info(tensor).dtype ?? model.dtype;
    const stored = await model.readWeight(tensor);
    const values = roundTo(
      dtype,
      stored.map((value, channel) => (value + offset) / at(scale, channel) - offset),
    );
    const wrong = values.findIndex((value) => !Number.isFinite(value));
    if (wrong >= 0) {
      throw new InternalError(
        `${tensor}: channel ${wrong} divided by ${scale[wrong]} is beyond ${dtype}; compress with a solver that does not scale`,
        { tensor },
      );
    }
    layers.push({
      block,
      site,
      tensor,
      summary: { solver: summary.solver, error: 0, damage: 0, sparsity: 0 },
      values: weightData(dtype, 1, values),
    });
  }
  return layers;
}
