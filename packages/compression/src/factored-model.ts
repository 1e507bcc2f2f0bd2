import { parseMetadata } from "@mbs/artifacts";
import { BadDataError, type ArtifactStream } from "@mbs/contracts";
import { openModel, type Model, type OpenModelOptions } from "@mbs/models";

/**
 * Opens the model that factors are of.
 *
 * @throws {BadDataError} where the folder holds another model
 */
export async function openModelOf(factors: ArtifactStream, folder: string, options: OpenModelOptions): Promise<Model> {
  const { model: address } = parseMetadata("factors", factors.schema);
  const model = await openModel(folder, options);
  if (model.address === address) return model;
  await model.close();
  throw new BadDataError(`the factors are of model ${address}, ${folder} is ${model.address}; capture and factor again`, {
    expected: address,
    found: model.address,
  });
}
