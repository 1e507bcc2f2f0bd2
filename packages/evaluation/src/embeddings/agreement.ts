import { at, FailedPreconditionError, groupBy, UsageError } from "@mbs/contracts";
import type { StageContext } from "@mbs/contracts";
import type { Corpus } from "@mbs/corpora";
import { chatOf } from "@mbs/models";
import type { Model } from "@mbs/models";
import { mean } from "@mbs/numbers";
import { embedTexts } from "./embed-texts.ts";
import type { EmbeddedText } from "./embed-texts.ts";

/** Nearest texts that are compared. */
export const comparedNeighbours = 10;

/** How a model's embeddings of a language's texts agree with the first model's. */
export interface LanguageAgreement {
  readonly language: string;
  readonly texts: number;
  /** Mean cosine of a text's two embeddings. */
  readonly cosine: number;
  /** That of the text that agrees least. */
  readonly leastCosine: number;
  /** Share of the first model's nearest texts, of all languages, that are still among the nearest: a mean over texts. */
  readonly keptNeighbours: number;
}

/** A model against the first one. */
export interface ModelAgreement {
  readonly model: string;
  readonly address: string;
  readonly languages: readonly LanguageAgreement[];
}

/** What `mbs agreement` says. */
export interface AgreementReport {
  /** The model that the others are compared with. */
  readonly first: string;
  readonly address: string;
  readonly corpus: string;
  /** Tokens of a text at most. */
  readonly length: number;
  readonly models: readonly ModelAgreement[];
}

export interface AgreementQuestion {
  readonly models: readonly { readonly model: Model; readonly label: string }[];
  readonly corpus: Corpus;
  readonly languages: readonly string[];
  /** Texts of a language at most, the first of the corpus. */
  readonly texts: number;
  /** Before each text: what a model was trained to find there, such as "query: ". */
  readonly prefix: string;
  /** Tokens of a text at most. */
  readonly length: number;
}

type Context = Pick<StageContext, "signal" | "progress"> & { readonly threads: number };

/** @throws {FailedPreconditionError} for a model that is no encoder */
export function requireEncoder({ path, stacks }: Model): void {
  if (stacks === "encoder") return;
  throw new FailedPreconditionError(
    `${path} is ${stacks === "decoder" ? "a" : "an"} ${stacks}, which makes no embeddings of texts; evaluate it by its losses: mbs evaluate`,
    { model: path },
  );
}

async function readTexts(
  { corpus, languages, texts: most, prefix }: AgreementQuestion,
  model: Model,
): Promise<readonly EmbeddedText[]> {
  const texts: EmbeddedText[] = [];
  for (const language of languages) {
    let number = 0;
    for await (const { text } of corpus.documents(language, chatOf(model))) {
      if (text.trim() === "") continue;
      texts.push({ language, number, text: `${prefix}${text}` });
      number += 1;
      if (number === most) break;
    }
  }
  if (texts.length >= 2 * comparedNeighbours) return texts;
  throw new UsageError(
    `corpus ${corpus.name} has ${texts.length} texts in these languages, and the nearest ${comparedNeighbours} of each are compared; give at least ${2 * comparedNeighbours}`,
    { texts: texts.length },
  );
}

/** Of vectors of length 1. */
function cosine(first: Float64Array, second: Float64Array): number {
  let sum = 0;
  for (let column = 0; column < first.length; column++) sum += at(first, column) * at(second, column);
  return sum;
}

/** The nearest other texts of each text by cosine, those of equal cosine by their order. */
export function nearestTexts(embeddings: readonly Float64Array[], count: number): readonly ReadonlySet<number>[] {
  return embeddings.map((own, index) => {
    const nearest: { readonly text: number; readonly near: number }[] = [];
    for (const [text, other] of embeddings.entries()) {
      if (text === index) continue;
      const near = cosine(own, other);
      const place = nearest.findIndex((known) => near > known.near);
      if (place >= 0) nearest.splice(place, 0, { text, near });
      else if (nearest.length < count) nearest.push({ text, near });
      if (nearest.length > count) nearest.pop();
    }
    return new Set(nearest.map(({ text }) => text));
  });
}

/**
 * How embeddings of texts by other models agree with those by the first one, by language. It needs no labels.
 *
 * @throws {FailedPreconditionError} for models that are no encoders
 * @throws {UsageError} where there are too few texts to have neighbours
 */
export async function compareEmbeddings(question: AgreementQuestion, context: Context): Promise<AgreementReport> {
  const { models, corpus, length } = question;
  for (const { model } of models) requireEncoder(model);
  const { model: first, label } = at(models, 0);
  const texts = await readTexts(question, first);
  const options = { ...context, length };
  const dense = await embedTexts(first, texts, options);
  const nearest = nearestTexts(dense, comparedNeighbours);
  const compared: ModelAgreement[] = [];
  for (const { model, label: name } of models.slice(1)) {
    const embeddings = await embedTexts(model, texts, options);
    const found = nearestTexts(embeddings, comparedNeighbours);
    const rows = texts.map(({ language }, index) => ({
      language,
      cosine: cosine(at(dense, index), at(embeddings, index)),
      kept: [...at(nearest, index)].filter((text) => at(found, index).has(text)).length / comparedNeighbours,
    }));
    compared.push({
      model: name,
      address: model.address,
      languages: [...groupBy(rows, (row) => row.language)].map(([language, items]) => ({
        language,
        texts: items.length,
        cosine: mean(items.map((row) => row.cosine)),
        leastCosine: Math.min(...items.map((row) => row.cosine)),
        keptNeighbours: mean(items.map((row) => row.kept)),
      })),
    });
  }
  return { first: label, address: first.address, corpus: corpus.name, length, models: compared };
}
