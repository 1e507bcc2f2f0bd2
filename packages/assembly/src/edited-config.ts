import { FailedPreconditionError } from "@mbs/contracts";
import type { Model, WeightDtype } from "@mbs/models";
import { applyEdits, modify } from "jsonc-parser";
import type { OutputFile } from "./format.ts";
import { dtypeKeys } from "./safetensors/written-dtype.ts";

const textFile = (path: string, text: string): OutputFile => ({ path, content: () => [new TextEncoder().encode(text)] });

/** A JSON file as most programs write theirs. */
export const jsonFile = (path: string, value: object): OutputFile => textFile(path, `${JSON.stringify(value, undefined, 2)}\n`);

/** The source's config.json, parsed and checked when the model was opened. */
export const readConfig = (model: Model): Promise<string> => model.files.text("config.json");

/**
 * The source's config.json with some keys set, or removed where their value is undefined. Everything else stays as it was
 * written: 1.0 read and written again would be 1, which programs that check types refuse.
 */
export async function editedConfig(model: Model, changes: Readonly<Record<string, unknown>>): Promise<OutputFile> {
  const formattingOptions = { tabSize: 2, insertSpaces: true, eol: "\n" };
  let text = await readConfig(model);
  for (const [key, value] of Object.entries(changes)) {
    text = applyEdits(text, modify(text, [key], value, { formattingOptions }));
  }
  return textFile("config.json", text);
}

/** @throws {FailedPreconditionError} for a model whose weights are packed: what is made of it must start from the dense one */
export async function requireDense(model: Model): Promise<void> {
  if (!Object.hasOwn(JSON.parse(await readConfig(model)) as object, "quantization_config")) return;
  throw new FailedPreconditionError(`${model.path} is quantised already; assemble with the model it was made from`, {
    model: model.path,
  });
}

/** What differs in the config.json of a model that is written. */
interface WrittenConfig {
  /** Of all weights that are not packed; undefined where each keeps its own. */
  readonly dtype: WeightDtype | undefined;
  /** Tells programs how to read packed weights. */
  readonly quantisation?: object;
}

/** The source's config.json, with the dtype of the weights and their `quantization_config`. */
export async function configOf(model: Model, { dtype, quantisation }: WrittenConfig): Promise<OutputFile> {
  const config = JSON.parse(await readConfig(model)) as object;
  return editedConfig(model, {
    ...dtypeKeys(config, dtype),
    ...(quantisation && { quantization_config: quantisation }),
  });
}
