import { FailedPreconditionError, at } from "@mbs/contracts";
import { restrictToTrimmed, rowsOfTrimmed, type Model } from "@mbs/models";
import type { ComparableModel } from "./scored-models.ts";

interface NamedModel {
  readonly model: Model;
  readonly label: string;
}

/** A model that was trimmed from another one's vocabulary, and the rows that it has of that. */
interface TrimmedModel extends NamedModel {
  readonly rows: Int32Array;
}

async function trimmedFrom(source: Model, models: readonly NamedModel[]): Promise<readonly TrimmedModel[]> {
  const found: TrimmedModel[] = [];
  for (const { model, label } of models) {
    const rows = await rowsOfTrimmed(source, model);
    if (rows !== undefined) found.push({ model, label, rows });
  }
  return found;
}

const sameRows = (some: Int32Array, others: Int32Array): boolean =>
  some.length === others.length && some.every((row, index) => row === others[index]);

/**
 * Models whose perplexities can be compared: those with the vocabulary that others among them were trimmed from are restricted to
 * the rows of these, since fewer rows make the softmax smaller, and perplexity lower, by themselves.
 *
 * @param labels names of the models
 * @throws {FailedPreconditionError} where a model would have to be restricted to two vocabularies, or cannot be
 */
export async function restrictVocabularies(
  models: readonly Model[],
  labels: readonly string[],
  warn: (line: string) => void,
): Promise<readonly ComparableModel[]> {
  const named = models.map((model, index) => ({ model, label: at(labels, index) }));
  const made: ComparableModel[] = [];
  for (const { model, label } of named) {
    const trimmed = await trimmedFrom(model, named);
    const [first] = trimmed;
    if (first === undefined) {
      const { trimming, vocabularySize: rows } = model;
      made.push({ model, vocabulary: trimming && { rows, of: trimming.rows, isRestricted: false } });
      continue;
    }
    const other = trimmed.find((one) => !sameRows(one.rows, first.rows));
    if (other !== undefined) {
      throw new FailedPreconditionError(
        `${first.label} and ${other.label} are trimmed to different vocabularies, and ${label} can be restricted to one only; evaluate each of them with it by itself`,
        { models: labels.join(", ") },
      );
    }
    const [rows, of] = [first.model.vocabularySize, model.vocabularySize];
    warn(`${label}: restricted to the ${rows} of ${of} rows that ${first.label} has, so that they can be compared`);
    made.push({ model: restrictToTrimmed(model, first.model, first.rows), vocabulary: { rows, of, isRestricted: true } });
  }
  return made;
}
