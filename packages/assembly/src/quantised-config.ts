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

/** The source's config.json with a `quantization_config`, which tells programs how to read the weights. */
export async function quantisedConfig(model: Model, quantisation: object): Promise<OutputFile> {
  // Parsed and checked when the model was opened.
  const config = JSON.parse(await readFile(join(model.folder, "config.json"), "utf8")) as Record<string, unknown>;
  if (Object.hasOwn(config, "quantization_config")) {
    throw new FailedPreconditionError(`${model.folder} is quantised already; assemble with the model it was made from`, {
      folder: model.folder,
    });
  }
  return jsonFile("config.json", { ...config, quantization_config: quantisation });
}
