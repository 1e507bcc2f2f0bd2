import { headClassSite, inputSite, readFactors, tokenSites, vocabularyStep } from "@mbs/artifacts";
import { at, BadDataError, type ArtifactStream } from "@mbs/contracts";
import type { Model } from "@mbs/models";
import type { SiteInput } from "./site-statistics.ts";
import { allRows, lastClass, vocabularyInputs } from "./vocabulary.ts";
import type { TokenCosts, VocabularyRows } from "./vocabulary.ts";

/** What is compressed next: a site of a step, or embedding and head, whose inputs are those of the head's site alone. */
export type Work = SiteInput & { readonly rows?: VocabularyRows };

/** Every site of a model, of whose inputs nothing is known, and embedding and head where they are asked for. */
export function* plainSites({ steps, vocabulary }: Model, withVocabulary: boolean): Generator<Work> {
  for (const { name: step, sites } of steps) for (const { name: site, width } of sites) yield { step, site, width };
  if (!withVocabulary || vocabulary === undefined) return;
  for (const input of vocabularyInputs(vocabulary, undefined)) yield { ...input, rows: allRows({}) };
}

/** The sites of factors that weights read. @throws {BadDataError} where the head is asked for, and they do not have it */
export async function* factoredSites(
  factors: ArtifactStream,
  { vocabulary }: Model,
  withVocabulary: boolean,
): AsyncGenerator<Work> {
  const costs: { -readonly [Name in keyof TokenCosts]: TokenCosts[Name] } = {};
  /** Of the head's site, and behind it what the embedding reads. */
  let head: readonly SiteInput[] = [];
  let number = 0;
  let isComplete = false;
  for await (const factor of readFactors(factors)) {
    const { step, site, width } = factor;
    if (step === vocabularyStep) {
      if (site === tokenSites.reads) costs.reads = factor.diagonal;
      else if (site === tokenSites.spread) costs.spread = factor.diagonal;
      else if (site === tokenSites.classes) costs.classes = factor.diagonal;
      else if (withVocabulary && vocabulary !== undefined && site === headClassSite(number)) {
        if (number === 0) head = vocabularyInputs(vocabulary, factor);
        isComplete = number === lastClass(costs);
        yield { ...at(head, 0), factor, rows: { costs, number, isLast: isComplete } };
        number += 1;
        if (isComplete) for (const input of head.slice(1)) yield { ...input, rows: allRows(costs) };
      }
      continue;
    }
    // no weight reads the input before the norm; its factor is there for comparisons of languages
    if (site !== inputSite) yield { step, site, width, factor };
  }
  if (withVocabulary && !isComplete) {
    throw new BadDataError("the factors have no input of the head; capture with --vocabulary, or leave it out here");
  }
}
