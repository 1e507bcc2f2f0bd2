import { FailedPreconditionError } from "@mbs/contracts";
import { createCheckpoint } from "../checkpoint/checkpoint.ts";
import type { WeightDtype } from "@mbs/numbers";
import type { ReadOptions } from "../checkpoint/checkpoint.ts";
import type { Checkpoint, TensorFile } from "../checkpoint/checkpoint.ts";
import { splitJoined } from "../checkpoint/joined-tensors.ts";
import { readableCheckpoint } from "../checkpoint/quantised/quantised-checkpoint.ts";
import { isCarried, nameTensors } from "../checkpoint/tensor-names.ts";
import type { Origin } from "../checkpoint/tensor-names.ts";
import type { JsonObject } from "../folder/json-file.ts";
import { loadArchitecture } from "./architectures.ts";
import type { Layout } from "./layout.ts";

/** A configuration and weight files that fit each other. */
export interface ReadArchitecture {
  /** Of the language model. */
  readonly modelType: string;
  /** The section of config.json that it has, where other models stand beside it. */
  readonly section?: string;
  /** With the names of the checkpoint. */
  readonly layout: Layout;
  /** Keys of config.json that are read, defaults included. */
  readonly settings: JsonObject;
  /** The weights by the names of the layout, whatever form they are stored in. */
  readonly checkpoint: Checkpoint;
  /** The dtype of weights that were published quantised, and are written as dense ones. */
  readonly releasedDtype?: WeightDtype;
  /** What the user should know, a line each. */
  readonly notes: readonly string[];
}

const pieceBytes = 4 * 1024 * 1024;

/** Whether two tensors are stored as the same bytes. */
async function isSame(checkpoint: Checkpoint, first: string, second: string): Promise<boolean> {
  const [one, other] = [checkpoint.info(first), checkpoint.info(second)];
  if (one.storedDtype !== other.storedDtype || one.bytes !== other.bytes) return false;
  for (let offset = 0; offset < one.bytes; offset += pieceBytes) {
    const length = Math.min(pieceBytes, one.bytes - offset);
    const [a, b] = [await checkpoint.readRaw(first, offset, length), await checkpoint.readRaw(second, offset, length)];
    if (Buffer.compare(a, b) !== 0) return false;
  }
  return true;
}

/**
 * Finds which tensors are copies: a head that only repeats the embedding is the embedding, and the tensor its copy.
 *
 * @throws {FailedPreconditionError} where a tensor that must repeat another one differs from it
 */
async function findCopies(layout: Layout, checkpoint: Checkpoint, folder: string): Promise<Layout> {
  for (const { name, copyOf } of layout.tensors) {
    if (copyOf !== undefined && !(await isSame(checkpoint, name, copyOf))) {
      throw new FailedPreconditionError(
        `${folder}: tensor ${name} differs from ${copyOf}; models with an embedding for each stream are not supported`,
        { folder, tensor: name },
      );
    }
  }
  const { head, embedding, tensors } = layout;
  const own = tensors.find(({ name, required }) => name === head && head !== embedding && !required);
  if (own === undefined || !(await isSame(checkpoint, head, embedding))) return layout;
  const found = tensors.map((tensor) => (tensor === own ? { ...own, copyOf: embedding } : tensor));
  return { ...layout, head: embedding, tensors: found };
}

/** @throws {FailedPreconditionError} where a tensor that must be zero is not */
async function requireZeros({ tensors }: Layout, checkpoint: Checkpoint, folder: string): Promise<void> {
  for (const { name, zeros } of tensors) {
    if (zeros !== true || (await checkpoint.readF32(name)).every((value) => value === 0)) continue;
    throw new FailedPreconditionError(`${folder}: tensor ${name} has values other than 0, which are not supported`, {
      folder,
      tensor: name,
    });
  }
}

/** Unknown keys may belong to a later version of transformers, or to code that comes with the model. */
const unknownKeysNote = (file: string, keys: readonly string[]): readonly string[] =>
  keys.length === 0
    ? []
    : [
        `${file} has keys that are not read for this model type: ${keys.join(", ")}; if the model depends on one of them, results are wrong`,
      ];

/**
 * Reads a configuration and finds its tensors in weight files.
 *
 * @throws {BadDataError} where the configuration is broken or the tensors do not fit it
 * @throws {FailedPreconditionError} where it asks for what is not supported
 */
export async function readArchitecture(
  files: readonly TensorFile[],
  config: JsonObject,
  origin: Origin,
  options: ReadOptions,
): Promise<ReadArchitecture> {
  const { folder, file } = origin;
  const architecture = await loadArchitecture(Object.hasOwn(config, "model_type") ? config["model_type"] : undefined, file);
  const reading = architecture.read(config, file);
  const { modelType, section, layout, settings, unknown } = reading;
  const carries = (tensor: string): boolean => isCarried(layout, tensor);
  const stored = createCheckpoint(splitJoined(files, layout), { ...options, carries });
  const { checkpoint, releasedDtype } = await readableCheckpoint(stored, config, { file, layout });
  const named = await findCopies(nameTensors(reading, checkpoint, origin), checkpoint, folder);
  await requireZeros(named, checkpoint, folder);
  return {
    modelType,
    ...(section !== undefined && { section }),
    settings,
    ...(releasedDtype !== undefined && { releasedDtype }),
    layout: named,
    checkpoint,
    notes: unknownKeysNote(file, unknown),
  };
}
