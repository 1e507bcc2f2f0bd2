import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { FailedPreconditionError } from "@mbs/contracts";
import type { Model } from "@mbs/models";
import type { OutputFile } from "./format.ts";

/** A JSON file as most programs write theirs. */
export const jsonFile = (path: string, value: object): OutputFile => ({
  path,
  content: () => [new TextEncoder().encode(`${JSON.stringify(value, undefined, 2)}\n`)],
});

/** The source's config.json, parsed and checked when the model was opened. */
export const readConfig = async (model: Model): Promise<Record<string, unknown>> =>
  JSON.parse(await readFile(join(model.folder, "config.json"), "utf8")) as Record<string, unknown>;

/** @throws {FailedPreconditionError} for a model whose weights are packed: what is made of it must start from the dense one */
export async function requireDense(model: Model): Promise<void> {
  if (!Object.hasOwn(await readConfig(model), "quantization_config")) return;
  throw new FailedPreconditionError(`${model.folder} is quantised already; assemble with the model it was made from`, {
    folder: model.folder,
  });
}

/** The source's config.json with a `quantization_config`, which tells programs how to read the weights. */
export async function quantisedConfig(model: Model, quantisation: object): Promise<OutputFile> {
  return jsonFile("config.json", { ...(await readConfig(model)), quantization_config: quantisation });
}
