import { BadDataError, FailedPreconditionError } from "@mbs/contracts";
import { tokenIds } from "../tokenizer/token-ids.ts";
import { parseJsonObject } from "./json-file.ts";
import type { ArchitectureModel, Model } from "./model.ts";
import { restrictVocabulary } from "./restricted-model.ts";

async function idsOf({ files, path }: Model): Promise<ReadonlyMap<string, number>> {
  const text = await files.text("tokenizer.json");
  const file = `${path}/tokenizer.json`;
  return tokenIds(parseJsonObject(new TextEncoder().encode(text), file, file));
}

/**
 * The rows of a model that another one, which was trimmed from its vocabulary, still has: the n-th of them is row n there.
 *
 * The model is known by the address of its tokenizer.json or, where another format says the same in other words, by its
 * tokens: it has as many rows as the source of the trimmed one, and all tokens of that in their order.
 *
 * @returns undefined where the other model was not trimmed from this vocabulary
 * @throws {BadDataError} where it was by its record, and has tokens that the model does not have
 */
export async function rowsOfTrimmed(model: Model, trimmed: Model): Promise<Int32Array | undefined> {
  const { trimming, vocabularySize } = trimmed;
  if (trimming === undefined || model.trimming !== undefined || model.vocabularySize !== trimming.rows) return undefined;
  const [old, own] = [await idsOf(model), await idsOf(trimmed)];
  const tokens = new Map([...own].map(([token, id]) => [id, token]));
  const unnamed = [...trimming.unnamed];
  const found = Array.from({ length: vocabularySize }, (_, id) => {
    const token = tokens.get(id);
    return token === undefined ? unnamed.shift() : old.get(token);
  });
  const known = found.filter((row) => row !== undefined);
  if (known.length === found.length && known.every((row, id) => row < model.vocabularySize && row > (known[id - 1] ?? -1))) {
    return Int32Array.from(known);
  }
  if (model.tokenizerAddress !== trimming.tokenizer) return undefined;
  throw new BadDataError(
    `${trimmed.path} has tokens that ${model.path}, which it was trimmed from, does not have in this order; trim it again`,
    { model: trimmed.path },
  );
}

/**
 * A model as if it had been trimmed like another one: the same rows, and the other's tokenizer. What a trimmed model is compared
 * with: fewer rows make the softmax smaller, and perplexity lower, by themselves.
 *
 * @param rows from `rowsOfTrimmed`
 * @throws {FailedPreconditionError} for an ONNX model, whose rows cannot be chosen
 */
export function restrictToTrimmed(model: Model, trimmed: Model, rows: Int32Array): ArchitectureModel {
  if (model.kind === "graph") {
    throw new FailedPreconditionError(
      `${model.path} is an ONNX model, which cannot be restricted to the rows of ${trimmed.path}; give the model that it was exported from`,
      { model: model.path },
    );
  }
  const { tokenizerAddress } = trimmed;
  return restrictVocabulary(model, { rows, tokenizerAddress, tokenizer: () => trimmed.tokenizer() });
}
