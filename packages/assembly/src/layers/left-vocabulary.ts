import { FailedPreconditionError, formatBytes } from "@mbs/contracts";
import type { Model } from "@mbs/models";
import type { LayerSpool } from "./layer-spool.ts";
import { vocabularyWeights } from "./site-weights.ts";

/** Why a format does not hold embedding and head in codes, and what else does. */
const reason = (model: Model, format: string): string => {
  const [head] = vocabularyWeights(model);
  const bytes = head === undefined ? 0 : model.checkpoint.info(head.tensor).bytes;
  return model.vocabulary?.isTied === true
    ? `${format} has no codes for a tensor that is embedding and head, and apart they would take ${formatBytes(bytes)} more before rounding`
    : `embedding and head are not packed by ${format}`;
};

/** @throws {FailedPreconditionError} where embedding and head are to have codes */
export function refuseVocabulary(model: Model, vocabulary: readonly unknown[], format: string): void {
  if (vocabulary.length === 0) return;
  throw new FailedPreconditionError(
    `${reason(model, format)}; compress without --vocabulary, or assemble with --format gguf, onnx or dense`,
    { format },
  );
}

/** Layers without those of embedding and head, which a format leaves as they are in the source, and a warning of that. */
export function leaveVocabulary(model: Model, layers: LayerSpool, format: string, warn: (message: string) => void): LayerSpool {
  const left = new Set(vocabularyWeights(model).flatMap(({ tensor }) => (layers.summaries.has(tensor) ? [tensor] : [])));
  if (left.size === 0) return layers;
  warn(`${[...left].join(" and ")} stay as in the source: ${reason(model, format)}`);
  return {
    ...layers,
    summaries: new Map([...layers.summaries].filter(([tensor]) => !left.has(tensor))),
    read: (tensor) => (left.has(tensor) ? undefined : layers.read(tensor)),
    has: (tensor, part) => !left.has(tensor) && layers.has(tensor, part),
    readPart: (tensor, part) => (left.has(tensor) ? undefined : layers.readPart(tensor, part)),
  };
}
