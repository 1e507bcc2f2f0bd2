import { FailedPreconditionError } from "@mbs/contracts";
import type { Embeddings } from "../architectures/architecture.ts";
import type { Model } from "./model.ts";

/**
 * Refuses a model without anything to compress, and says what the user should know of it.
 *
 * @throws {FailedPreconditionError} where all linear weights are quantised already
 */
export function requireCompressible({ blocks, notes, path }: Model, warn: (message: string) => void): void {
  if (blocks.every(({ sites }) => sites.length === 0)) {
    throw new FailedPreconditionError(
      `${path} has no linear weight that could be compressed: ${notes[0] ?? "it has no sites"}; give the model it was made from`,
      { model: path },
    );
  }
  for (const note of notes) warn(note);
}

/**
 * @throws {FailedPreconditionError} for a model whose embedding and head stay as they are: an ONNX model, an encoder or an encoder-decoder
 */
export function requireEmbeddings({ embeddings, path, kind, stacks }: Model): Embeddings {
  if (embeddings !== undefined) return embeddings;
  throw new FailedPreconditionError(
    `${path} is ${kind === "graph" ? "an ONNX model" : `an ${stacks}`}, whose embedding and head are not compressed; leave out --embeddings`,
    { model: path },
  );
}
