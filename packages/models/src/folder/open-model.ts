import { stat } from "node:fs/promises";
import { join } from "node:path";
import { at, InputOutputError, InternalError, UsageError } from "@mbs/contracts";
import type { ObjectPool, Progress } from "@mbs/contracts";
import type { Layout } from "../architectures/layout.ts";
import { readArchitecture } from "../architectures/read-architecture.ts";
import { embeddingsOf } from "../architectures/architecture.ts";
import { readRotation } from "../config/rotation-record.ts";
import { readTrimming } from "../config/trimming-record.ts";
import { createCheckpoint } from "../checkpoint/checkpoint.ts";
import type { ReadOptions } from "../checkpoint/checkpoint.ts";
import { ggufFile, hasWeightFiles, isGgufFolder, openWeightFiles } from "../checkpoint/weight-files.ts";
import { createWeightReader } from "../checkpoint/weight-reader.ts";
import { createForward } from "../forward/forward.ts";
import { layoutRounds } from "../forward/block-forward.ts";
import { passagesOf } from "../forward/passages.ts";
import { encoderStream, hiddenStream } from "../forward/streams.ts";
import { findGraph } from "./find-graph.ts";
import { hubName } from "../writing/card-source.ts";
import { modelFolder } from "./hub-model.ts";
import { isMissing } from "./json-file.ts";
import { modelAddress } from "./model-address.ts";
import type { AddressOptions } from "./model-address.ts";
import { readDescription } from "./model-description.ts";
import { isGguf } from "./model-record.ts";
import type { ModelSource } from "./model-record.ts";
import type { ArchitectureModel, Model, Stacks } from "./model.ts";
import { takeModel } from "./pooled-model.ts";

export interface OpenModelOptions {
  /**
   * Read NaN and Inf weights as 0 and list their tensors in `checkpoint.nonfinite` instead of refusing them. Absent where the
   * command has no such option, which messages then do not name.
   */
  readonly allowNonfinite?: boolean;
  /** Called while files of a model on the Hub are fetched, and while the tensors of a large model are read for its address. */
  readonly progress?: (progress: Progress) => void;
  /**
   * Where an open model is looked for, and where it stays after `close`. Not used with `allowNonfinite`: what one stage has
   * found in `checkpoint.nonfinite` would show in the next one.
   */
  readonly pool?: ObjectPool;
}

/** A folder of safetensors. */
async function folderSource(folder: string): Promise<ModelSource> {
  const files = await openWeightFiles(folder);
  return {
    path: folder,
    weightFiles: files.map(({ path }) => path),
    stored: files,
    files,
    writtenDtype: undefined,
    notes: [],
    describe: () => readDescription(folder),
  };
}

const stacksOf = ({ sourceTarget, encoder }: Layout): Stacks => {
  if (sourceTarget !== undefined) return "encoder-decoder";
  return encoder === undefined ? "decoder" : "encoder";
};

async function openArchitectureModel(source: ModelSource, options: ReadOptions & AddressOptions): Promise<ArchitectureModel> {
  const { path, weightFiles, nameInFile } = source;
  const stored = createCheckpoint(source.stored, options);
  try {
    const { config, configFile, parts, ...description } = await source.describe();
    const { modelType, section, layout, settings, checkpoint, releasedDtype, notes } = await readArchitecture(
      source.files,
      config,
      { folder: path, file: configFile, ...(nameInFile && { nameInFile }) },
      options,
    );
    const rotation = readRotation(config, configFile);
    const trimming = readTrimming(config, configFile, layout.vocabularySize);
    const readWeight = createWeightReader(checkpoint, layout.tensors);
    const { sourceTarget } = layout;
    const { dtype } = checkpoint.info(at(at(at(layout.blocks, 0).sites, 0).weights, 0).tensor);
    if (dtype === undefined) throw new InternalError(`${path}: the first linear weight is no F32, F16 or BF16`);
    return {
      ...description,
      kind: "architecture",
      path,
      weightFiles,
      address: await modelAddress(path, weightFiles, stored, parts, options),
      architecture: modelType,
      dtype,
      // float32 only so that rotating and trimming round nothing
      writtenDtype: source.writtenDtype ?? releasedDtype ?? (dtype === "f32" ? (rotation?.dtype ?? trimming?.dtype) : undefined),
      rotation,
      trimming,
      hiddenSize: layout.hiddenSize,
      stateWidth: layout.stateWidth ?? layout.hiddenSize,
      vocabularySize: layout.vocabularySize,
      contextLength: layout.contextLength,
      positionLimit: layout.positionLimit,
      siteRounds: (block) => layoutRounds(layout, block),
      blocks: layout.blocks,
      embeddings: embeddingsOf(layout, hiddenStream),
      stacks: stacksOf(layout),
      streams: sourceTarget === undefined ? [hiddenStream] : [encoderStream, hiddenStream],
      layout,
      settings,
      ...(section !== undefined && { section }),
      checkpoint,
      reads: new Set(layout.tensors.map(({ name }) => name)),
      readWeight,
      notes: [...source.notes, ...notes],
      passages: () => passagesOf(layout, () => description.tokenizer()),
      forward: (given) => Promise.resolve(createForward(layout, checkpoint, readWeight, given)),
      close: () => Promise.resolve(stored.close()),
    };
  } catch (error) {
    stored.close();
    throw error;
  }
}

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (status) => status.isDirectory(),
    () => false,
  );

async function openPath(root: string, options: ReadOptions & AddressOptions): Promise<Model> {
  const gguf = isGguf(root) && !(await isFolder(root)) ? root : (await isGgufFolder(root)) ? join(root, ggufFile) : undefined;
  if (gguf !== undefined) {
    return openArchitectureModel(await (await import("../gguf/open-gguf.ts")).openGguf(gguf), options);
  }
  const graph = (await hasWeightFiles(root)) ? undefined : await findGraph(root);
  if (graph === undefined) return openArchitectureModel(await folderSource(root), options);
  return (await import("../onnx-model/open-graph-model.ts")).openGraphModel(root, graph, options);
}

/** @throws {InputOutputError} where nothing is at a path, with what else names a model */
async function requireThere(name: string, root: string): Promise<void> {
  try {
    await stat(root);
  } catch (cause) {
    if (!isMissing(cause)) throw cause;
    const onHub = hubName.test(name) ? `; hf:${name} is the model of that name on the Hub` : "";
    throw new InputOutputError(
      `no model at ${root}; give a folder in the layout of Hugging Face, a GGUF file, or hf:ORG/NAME for a model of the Hub${onHub}`,
      { path: root },
      { cause },
    );
  }
}

/**
 * Opens a Hugging Face model folder: safetensors weights or, where there are none, an ONNX decoder; config.json,
 * tokenizer.json. A name such as "hf:org/name@revision" is fetched from the Hub first. A GGUF file is a model by itself; of
 * several that make one model, any may be named; of a folder that holds `model.gguf` alone, the folder.
 *
 * Headers, names and shapes are checked at once, values when they are read. The tensors are read once for the address,
 * which is kept in the user's cache where the model is large.
 *
 * @throws {UsageError} where the name is "", which is no folder, and not the current one
 * @throws {InputOutputError} where nothing is at the path
 * @throws {BadDataError} when a file of the model is missing, broken, or contradicts another one, or the model type is not supported
 */
export async function openModel(name: string, { allowNonfinite, progress, pool }: OpenModelOptions = {}): Promise<Model> {
  if (name === "") throw new UsageError('a model is named by a folder, a GGUF file or hf:ORG/NAME, not ""');
  const root = await modelFolder(name, progress);
  await requireThere(name, root);
  const open = (): Promise<Model> => openPath(root, { allowNonfinite, progress });
  return pool === undefined || allowNonfinite === true ? open() : takeModel(pool, root, open);
}
