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

/** Whether a model has the vocabulary that another one was trimmed from. */
export const isUntrimmed = (model: Model, { trimming }: Model): boolean =>
  trimming !== undefined && model.tokenizerAddress === trimming.tokenizer && model.vocabularySize === trimming.rows;

/**
 * A model as if it had been trimmed like another one: the same rows, and the other's tokenizer. What a trimmed model is compared
 * with: fewer rows make the softmax smaller, and perplexity lower, by themselves.
 *
 * @param model one with the vocabulary that the other was trimmed from
 * @throws {FailedPreconditionError} for an ONNX model, whose rows cannot be chosen
 * @throws {BadDataError} where the trimmed tokenizer has tokens that the model does not have
 */
export async function restrictToTrimmed(model: Model, trimmed: Model): Promise<ArchitectureModel> {
  if (model.kind === "graph") {
    throw new FailedPreconditionError(
      `${model.path} is an ONNX model, which cannot be restricted to the rows of ${trimmed.path}; give the model that it was exported from`,
      { model: model.path },
    );
  }
  const [old, own] = [await idsOf(model), await idsOf(trimmed)];
  const tokens = new Map([...own].map(([token, id]) => [id, token]));
  const unnamed = [...(trimmed.trimming?.unnamed ?? [])];
  const found = Array.from({ length: trimmed.vocabularySize }, (_, id) => {
    const token = tokens.get(id);
    return token === undefined ? unnamed.shift() : old.get(token);
  });
  const known = found.filter((row) => row !== undefined);
  if (known.length === found.length && known.every((row, id) => row < model.vocabularySize && row > (known[id - 1] ?? -1))) {
    const { tokenizerAddress } = trimmed;
    return restrictVocabulary(model, { rows: Int32Array.from(known), tokenizerAddress, tokenizer: () => trimmed.tokenizer() });
  }
  throw new BadDataError(
    `${trimmed.path} has tokens that ${model.path}, which it was trimmed from, does not have in this order; trim it again`,
    { model: trimmed.path },
  );
}
