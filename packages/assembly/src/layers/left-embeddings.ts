import { FailedPreconditionError, formatBytes, InternalError } from "@mbs/contracts";
import { embeddingsTables } from "@mbs/models";
import type { ArchitectureModel, Model } from "@mbs/models";
import type { FormattedModel } from "../format.ts";
import type { LayerGrid } from "./layer-grid.ts";
import { viewOf } from "./scratch-layers.ts";
import type { ScratchLayers } from "./scratch-layers.ts";
import { untied, untiedName } from "./untied-head.ts";

/** What a tied head would take as a tensor of its own, before rounding. */
const headBytes = ({ checkpoint, layout }: ArchitectureModel): string => formatBytes(checkpoint.info(layout.embedding).bytes);

/**
 * For the check of a recipe: the grids of a head of its own, which formats of packed linear layers hold like any other; the
 * embedding stays as it is.
 *
 * @param embeddings grids of embedding and head
 * @param untieHead whether a head that is the embedding becomes a tensor of its own
 * @throws {FailedPreconditionError} where one tensor is both and stays so, or is to be untied and is not
 */
export function packedHead(
  model: Model,
  embeddings: readonly LayerGrid[],
  format: string,
  untieHead: boolean,
): readonly LayerGrid[] {
  if (untieHead) {
    const tensor = untiedName(model, embeddings.length > 0);
    return embeddings.map((grid) => ({ ...grid, tensor }));
  }
  if (embeddings.length === 0 || model.kind === "graph") return [];
  if (model.embeddings?.isTied === true) {
    throw new FailedPreconditionError(
      `${format} packs no embedding, and here it is the head too; write compress: { embeddings: off }, or assemble: { untie-head: true }, which adds a packed head to the embedding, so that the folder is larger, or take format onnx or dense`,
      { format },
    );
  }
  return embeddings.filter(({ tensor }) => tensor === model.layout.head);
}

/** What formats of packed linear layers write of a model. */
export interface PackedEmbeddings {
  readonly model: ArchitectureModel;
  /** Without that of the embedding, or with it as that of the head. */
  readonly layers: ScratchLayers;
  /** The head that becomes a tensor of its own; undefined where it is one, or stays the embedding. */
  readonly ownHead: string | undefined;
}

/**
 * The layers that formats of packed linear layers write, with a warning where the embedding's is left out.
 *
 * @throws {FailedPreconditionError} as untiedName
 */
export function packEmbeddings(
  model: ArchitectureModel,
  layers: ScratchLayers,
  { format, untieHead, warn }: { readonly format: string; readonly untieHead: boolean; readonly warn: (message: string) => void },
): PackedEmbeddings {
  const { embedding, head } = model.layout;
  if (untieHead) {
    const made = untied(model, layers);
    return { ...made, ownHead: made.model.layout.head };
  }
  if (!layers.summaries.has(embedding)) return { model, layers, ownHead: undefined };
  const staying = [embedding, ...[...embeddingsTables(model.layout)].filter((tensor) => tensor !== head)];
  warn(
    head === embedding
      ? `${embedding} stays as in the source: ${format} packs no embedding, and here it is the head too, which would take ${headBytes(model)} more as a tensor of its own, less once packed (--untie-head)`
      : `${embedding} stays as in the source: ${format} packs no embedding; the head is packed`,
  );
  return { model, layers: viewOf(layers, new Map(staying.map((tensor) => [tensor, undefined]))), ownHead: undefined };
}

/** What a format has written, with what became of embedding and head; says what a head of its own adds. */
export function withEmbeddings(
  formatted: FormattedModel,
  { layers: { summaries }, ownHead }: PackedEmbeddings,
  warn: (message: string) => void,
): FormattedModel {
  if (ownHead === undefined) return { ...formatted, summaries };
  const bytes = formatted.tables?.get(ownHead);
  if (bytes === undefined) throw new InternalError(`the bytes of ${ownHead} were not counted`);
  warn(`the head is added as ${ownHead}, ${formatBytes(bytes)} more; the embedding, which it was, stays as in the source`);
  return { ...formatted, summaries, ownHead: { tensor: ownHead, bytes } };
}

/** Keys of config.json that a head of its own changes. */
export const untiedKeys = ({ ownHead }: PackedEmbeddings): Readonly<Record<string, unknown>> =>
  ownHead === undefined ? {} : { tie_word_embeddings: false };
