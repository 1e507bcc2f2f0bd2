import { parseMetadata, readScores } from "@mbs/artifacts";
import type { ArtifactStream } from "@mbs/contracts";

/** Perplexity of each model in each language. */
export interface CardResults {
  readonly models: readonly string[];
  readonly languages: readonly string[];
  /** By language, in the order of `models`; undefined where a model was not scored. */
  readonly rows: readonly (readonly (number | undefined)[])[];
  /** Content addresses of the corpora. */
  readonly corpora: readonly string[];
}

/** Adds scores up: exp(nll / tokens). Undefined where no scores were given. */
export async function readCardResults(streams: readonly ArtifactStream[]): Promise<CardResults | undefined> {
  if (streams.length === 0) return undefined;
  const sums = new Map<string, Map<string, { nll: number; tokens: number }>>();
  const corpora = new Set<string>();
  const models = new Set<string>();
  for (const stream of streams) {
    corpora.add(parseMetadata("scores", stream.schema).corpus);
    for await (const { model, language, nll, tokens } of readScores(stream)) {
      models.add(model);
      const byModel = sums.get(language) ?? new Map<string, { nll: number; tokens: number }>();
      const sum = byModel.get(model) ?? { nll: 0, tokens: 0 };
      byModel.set(model, { nll: sum.nll + nll, tokens: sum.tokens + tokens });
      sums.set(language, byModel);
    }
  }
  const languages = [...sums.keys()].sort();
  const rows = languages.map((language) =>
    [...models].map((model) => {
      const sum = sums.get(language)?.get(model);
      return sum && Math.exp(sum.nll / sum.tokens);
    }),
  );
  return { models: [...models], languages, rows, corpora: [...corpora] };
}
