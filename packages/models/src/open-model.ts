import { resolve, join } from "node:path";
import { loadArchitecture } from "./architectures.ts";
import { createCheckpoint } from "./checkpoint.ts";
import { readConfig } from "./config.ts";
import { createForward } from "./forward.ts";
import { isHubAddress } from "./hub-address.ts";
import { readJsonFile } from "./json-file.ts";
import { addressOf, modelAddress } from "./model-address.ts";
import type { Model } from "./model.ts";
import { plainPassages, sourceTargetPassages } from "./passages.ts";
import { readableCheckpoint } from "./quantised-checkpoint.ts";
import { encoderStream, hiddenStream } from "./streams.ts";
import { nameTensors } from "./tensor-names.ts";
import { loadTokenizer, tokenizerLimit } from "./tokenizer.ts";
import type { Tokenizer } from "./tokenizer.ts";
import { openWeightFiles } from "./weight-files.ts";
import { createWeightReader } from "./weight-reader.ts";

export interface OpenModelOptions {
  /** Read NaN and Inf weights as 0 and list their tensors in `checkpoint.nonfinite` instead of refusing them. */
  readonly allowNonfinite?: boolean;
}

const configLimit = 10_000_000;

/**
 * Opens a Hugging Face model folder: safetensors weights, config.json, tokenizer.json. A name such as
 * "hf:org/name@revision" is fetched from the Hub first.
 *
 * Headers, names and shapes are checked at once, values when they are read. The tensors are read once for the address.
 *
 * @throws {BadDataError} when a file is missing, broken, or contradicts another one, or the model type is not supported
 */
export async function openModel(folder: string, { allowNonfinite = false }: OpenModelOptions = {}): Promise<Model> {
  const root = resolve(isHubAddress(folder) ? await (await import("./hub-model.ts")).fetchHubModel(folder) : folder);
  const files = await openWeightFiles(root);
  const stored = createCheckpoint(files, { allowNonfinite });
  try {
    const configFile = join(root, "config.json");
    const config = await readJsonFile(configFile, configLimit);
    const tokenizerJson = await readJsonFile(join(root, "tokenizer.json"), tokenizerLimit);
    const checkpoint = await readableCheckpoint(stored, config.value, configFile);
    const modelType = Object.hasOwn(config.value, "model_type") ? config.value["model_type"] : undefined;
    const architecture = await loadArchitecture(modelType, configFile);
    const layout = nameTensors(architecture.layout(readConfig(config.value, configFile)), checkpoint, root);
    const readWeight = createWeightReader(checkpoint, layout.tensors);
    const tokenizer = (): Promise<Tokenizer> => loadTokenizer(root, tokenizerJson.value);
    const { sourceTarget } = layout;
    const weight = layout.steps[0]?.sites[0]?.weights[0]?.tensor ?? layout.embedding;
    return {
      folder: root,
      address: await modelAddress(root, stored, config.bytes, tokenizerJson.bytes),
      tokenizerAddress: addressOf(tokenizerJson.bytes),
      architecture: architecture.modelType,
      dtype: checkpoint.info(weight).dtype ?? "f32",
      hiddenSize: layout.hiddenSize,
      vocabularySize: layout.vocabularySize,
      contextLength: layout.contextLength,
      steps: layout.steps,
      streams: sourceTarget === undefined ? [hiddenStream] : [encoderStream, hiddenStream],
      layout,
      checkpoint,
      readWeight,
      tokenizer,
      passages: async () => (sourceTarget === undefined ? plainPassages : sourceTargetPassages(sourceTarget, await tokenizer())),
      forward: ({ threads }) => Promise.resolve(createForward(layout, checkpoint, readWeight, threads)),
      close: () => Promise.resolve(stored.close()),
    };
  } catch (error) {
    stored.close();
    throw error;
  }
}
