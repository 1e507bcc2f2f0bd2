import { readScores } from "@mbs/artifacts";
import { BadDataError, UsageError } from "@mbs/contracts";
import type { ArtifactStream } from "@mbs/contracts";

/** What compression did to a model, measured. */
export interface ActualRises {
  /** Name of the compressed model in the scores. */
  readonly scored: string;
  /** Language → rise of the loss above the dense model's, nats a token: the logarithm of the ratio of perplexities. */
  readonly rises: Readonly<Record<string, number>>;
}

interface Sums {
  nll: number;
  tokens: number;
  bytes: number;
}

interface ScoredModel {
  readonly name: string;
  readonly address: string;
  readonly languages: Map<string, Sums>;
}

async function sumScores(scores: ArtifactStream): Promise<readonly ScoredModel[]> {
  const models = new Map<string, ScoredModel>();
  for await (const { model: name, address, language, nll, tokens, bytes } of readScores(scores)) {
    const model = models.get(name) ?? { name, address, languages: new Map<string, Sums>() };
    models.set(name, model);
    const sums = model.languages.get(language) ?? { nll: 0, tokens: 0, bytes: 0 };
    model.languages.set(language, sums);
    sums.nll += nll;
    sums.tokens += tokens;
    sums.bytes += bytes;
  }
  return [...models.values()];
}

function chooseCompressed(models: readonly ScoredModel[], wanted: string | undefined): ScoredModel {
  const named = wanted === undefined ? models : models.filter(({ name }) => name === wanted);
  const [found] = named;
  if (found !== undefined && named.length === 1) return found;
  const names = models.map(({ name }) => name).join(", ") || "none";
  throw new UsageError(
    `the scores have these models beside the dense one: ${names}; say with --compressed which the layers made`,
    {
      option: "--compressed",
    },
  );
}

/**
 * Reads how much a compressed model lost in each language against the dense model.
 *
 * @param dense address of the dense model
 * @param wanted name of the compressed one; needed where the scores have several
 * @throws {BadDataError} where the dense model was not scored, or on other windows
 * @throws {UsageError} where it is open which model is meant
 */
export async function readRises(scores: ArtifactStream, dense: string, wanted: string | undefined): Promise<ActualRises> {
  const models = await sumScores(scores);
  const reference = models.find(({ address }) => address === dense);
  if (reference === undefined) {
    throw new BadDataError(`the scores have none of the dense model ${dense}; evaluate it beside the compressed one`, {
      model: dense,
    });
  }
  const compressed = chooseCompressed(
    models.filter(({ address }) => address !== dense),
    wanted,
  );
  const rises = [...compressed.languages].map(([language, own]): [string, number] => {
    const other = reference.languages.get(language);
    if (other?.tokens !== own.tokens || other.bytes !== own.bytes) {
      throw new BadDataError(
        `${compressed.name} and ${reference.name} were not scored on the same windows in ${language}; evaluate them together`,
        { language },
      );
    }
    return [language, (own.nll - other.nll) / own.tokens];
  });
  return { scored: compressed.name, rises: Object.fromEntries(rises) };
}
