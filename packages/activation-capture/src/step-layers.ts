import { addressOnTheWay, parseMetadata, readLayers } from "@mbs/artifacts";
import { BadDataError } from "@mbs/contracts";
import type { ArtifactStream } from "@mbs/contracts";
import type { Model } from "@mbs/models";
import { decodeWeights } from "@mbs/numbers";

/** The weights that layers give to one step. */
export interface StepLayers {
  /** Tensor → values exactly as they will be written, as float32. */
  readonly weights: ReadonlyMap<string, Float32Array>;
  /** Content address of each artifact that was read. */
  readonly addresses: readonly string[];
}

/**
 * Reads layers of one step.
 *
 * @throws {BadDataError} when they are of another model or step, of another shape, or name a tensor twice
 */
export async function readStepLayers(streams: readonly ArtifactStream[], model: Model, index: number): Promise<StepLayers> {
  const step = model.steps[index];
  const shapes = new Map(
    step?.sites.flatMap(({ width, weights, scaledBy = [] }) => [
      ...weights.map(({ tensor, rows }) => [tensor, { rows, width }] as const),
      ...scaledBy.map(({ tensor }) => [tensor, { rows: 1, width }] as const),
    ]),
  );
  const weights = new Map<string, Float32Array>();
  const addresses: string[] = [];
  for (const source of streams) {
    const { model: address } = parseMetadata("layers", source.schema);
    if (address !== model.address) {
      throw new BadDataError(`the layers are of model ${address}, the folder is ${model.address}; compress again`, {
        expected: model.address,
        found: address,
      });
    }
    const addressed = addressOnTheWay(source);
    for await (const { tensor, values } of readLayers(addressed.stream)) {
      const shape = shapes.get(tensor);
      if (shape === undefined) {
        throw new BadDataError(
          `layer ${tensor} does not belong to step ${step?.name ?? index}; give the layers of that step alone`,
          { tensor },
        );
      }
      if (values.rows !== shape.rows || values.columns !== shape.width) {
        throw new BadDataError(
          `layer ${tensor} has shape [${values.rows}, ${values.columns}], the model's [${shape.rows}, ${shape.width}]; compress again`,
          { tensor },
        );
      }
      if (weights.has(tensor)) throw new BadDataError(`two layers change tensor ${tensor}; give one of them`, { tensor });
      weights.set(tensor, decodeWeights(values.dtype, values.data, `layer ${tensor}`));
    }
    addresses.push(addressed.receipt().address);
  }
  return { weights, addresses };
}
