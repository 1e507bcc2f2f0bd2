import { FailedPreconditionError, formatBytes } from "@mbs/contracts";
import { vocabularyTables } from "@mbs/models";
import type { ArchitectureModel, Model } from "@mbs/models";
import type { LayerGrid } from "./layer-grid.ts";
import type { LayerSpool } from "./layer-spool.ts";

/** What a tied head would take as a tensor of its own, before rounding. */
const headBytes = ({ checkpoint, layout }: ArchitectureModel): string => formatBytes(checkpoint.info(layout.embedding).bytes);

/**
 * The grids of a head of its own, which formats of packed linear layers hold like any other; the embedding stays as it is.
 *
 * @param vocabulary grids of embedding and head
 * @throws {FailedPreconditionError} where one tensor is both, saying what the head would take apart
 */
export function packedHead(model: Model, vocabulary: readonly LayerGrid[], format: string): readonly LayerGrid[] {
  if (vocabulary.length === 0 || model.kind === "graph") return [];
  if (model.vocabulary?.isTied === true) {
    throw new FailedPreconditionError(
      `${format} packs no embedding, and here it is the head too, which would take ${headBytes(model)} more as a tensor of its own; compress without --vocabulary, or assemble with --format onnx, gguf or dense`,
      { format },
    );
  }
  return vocabulary.filter(({ tensor }) => tensor === model.layout.head);
}

/** Layers without that of the embedding, which formats of packed linear layers leave as in the source, and a warning of that. */
export function leaveEmbedding(
  model: ArchitectureModel,
  layers: LayerSpool,
  format: string,
  warn: (message: string) => void,
): LayerSpool {
  const { embedding, head } = model.layout;
  if (!layers.summaries.has(embedding)) return layers;
  const left = vocabularyTables(model.layout);
  const stays = (tensor: string): boolean => tensor === embedding || (left.has(tensor) && tensor !== head);
  warn(
    head === embedding
      ? `${embedding} stays as in the source: ${format} packs no embedding, and here it is the head too, which would take ${headBytes(model)} more as a tensor of its own`
      : `${embedding} stays as in the source: ${format} packs no embedding; the head is packed`,
  );
  return {
    ...layers,
    summaries: new Map([...layers.summaries].filter(([tensor]) => !stays(tensor))),
    read: (tensor) => (stays(tensor) ? undefined : layers.read(tensor)),
    has: (tensor, part) => !stays(tensor) && layers.has(tensor, part),
    readPart: (tensor, part) => (stays(tensor) ? undefined : layers.readPart(tensor, part)),
  };
}
