import { embeddingSite, headSite } from "@mbs/artifacts";
import { at, FailedPreconditionError, InternalError, type OptionTable } from "@mbs/contracts";
import type { ArchitectureModel, Checkpoint, Model, TensorInfo } from "@mbs/models";
import { viewOf } from "./scratch-layers.ts";
import type { ScratchLayers } from "./scratch-layers.ts";

/** Of the formats of packed linear layers. */
export const untyingOptions = {
  untieHead: {
    kind: "flag",
    description:
      "write a head that is the embedding as a tensor of its own, packed, with the codes of --embeddings; the embedding stays as in the source",
    default: false,
  },
} as const satisfies OptionTable;

function refuse(problem: string): never {
  throw new FailedPreconditionError(`--untie-head: ${problem}`, { option: "--untie-head" });
}

/** @throws {FailedPreconditionError} where a head is to be untied, and the layers beside it are only pruned */
export function requireCodesToUntie(untieHead: boolean, haveCodes: boolean): void {
  if (untieHead && !haveCodes) refuse("the layers are pruned and have no codes, so no head is packed beside them; leave it out");
}

/**
 * The name of a head of its own for a model whose embedding is its head.
 *
 * @throws {FailedPreconditionError} where the model has a head of its own, or none that is rounded
 */
export function untiedName(model: Model, isRounded: boolean): string {
  if (model.kind === "graph" || model.embeddings === undefined) return refuse(`${model.path} has no head to untie; leave it out`);
  if (!model.embeddings.isTied) return refuse("the head is a tensor of its own already; leave it out");
  if (!isRounded) return refuse("the head that it would write is not rounded; compress with --embeddings, or leave it out");
  const { ownHead } = model.layout;
  if (ownHead === undefined) throw new InternalError(`${model.path}: no name for a head of its own`);
  return ownHead;
}

/** A checkpoint with the embedding under another name too. */
function withCopy(checkpoint: Checkpoint, embedding: string, name: string): Checkpoint {
  if (checkpoint.has(name)) return checkpoint;
  const { files, nonfinite, allowNonfinite, readPacked } = checkpoint;
  const copy: TensorInfo = { ...checkpoint.info(embedding), name, file: at(files, files.length - 1).file };
  const stored = (tensor: string): string => (tensor === name ? embedding : tensor);
  const listed = [...checkpoint.list(), copy];
  return {
    files: files.map((file) => (file.file === copy.file ? { ...file, tensors: [...file.tensors, copy] } : file)),
    nonfinite,
    allowNonfinite,
    noteNonfinite: (tensor, ...found) => checkpoint.noteNonfinite(stored(tensor), ...found),
    list: () => listed,
    has: (tensor) => tensor === name || checkpoint.has(tensor),
    info: (tensor) => (tensor === name ? copy : checkpoint.info(tensor)),
    readF32: (tensor) => checkpoint.readF32(stored(tensor)),
    readRowsF32: (tensor, rows) => checkpoint.readRowsF32(stored(tensor), rows),
    ...(readPacked && { readPacked: (tensor) => readPacked(stored(tensor)) }),
    readRaw: (tensor, offset, length) => checkpoint.readRaw(stored(tensor), offset, length),
    close: () => checkpoint.close(),
  };
}

/**
 * A model as if its head were a tensor of its own, and layers that change that one in place of the embedding. Closing is left to
 * the model itself.
 *
 * @throws {FailedPreconditionError} as untiedName
 */
export function untied(model: ArchitectureModel, layers: ScratchLayers): { model: ArchitectureModel; layers: ScratchLayers } {
  const { embedding } = model.layout;
  const head = untiedName(model, layers.summaries.has(embedding));
  const { embeddings } = model;
  return {
    model: {
      ...model,
      layout: { ...model.layout, head },
      checkpoint: withCopy(model.checkpoint, embedding, head),
      ...(embeddings && {
        embeddings: {
          ...embeddings,
          isTied: false,
          sites: embeddings.sites.flatMap(({ width, weights }) =>
            [headSite, embeddingSite].map((name) => ({
              name,
              width,
              weights: weights.map((weight) => (name === headSite ? { ...weight, tensor: head } : weight)),
            })),
          ),
        },
      }),
    },
    layers: viewOf(layers, new Map([[embedding, head]])),
  };
}
