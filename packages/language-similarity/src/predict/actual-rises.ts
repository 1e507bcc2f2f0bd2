import { collect, groupScores, logPerplexity, parseMetadata, readScores, sameWindows, sumLosses } from "@mbs/artifacts";
import type { IntervalsByName, ModelScores } from "@mbs/artifacts";
import { BadDataError, UsageError, isObject } from "@mbs/contracts";
import type { ArtifactStream } from "@mbs/contracts";
import { comparePairs } from "@mbs/evaluation";

/** What compression did to a model, measured. */
export interface ActualRises {
  /** Name of the compressed model in the scores. */
  readonly scored: string;
  /** Language → rise of the loss above the dense model's, nats per token: the logarithm of the ratio of perplexities. */
  readonly lossRises: Readonly<Record<string, number>>;
  /** Language → 95% interval of that over windows, paired; without languages of too few windows. */
  readonly lossIntervals: IntervalsByName;
  /** Model in the scores → content addresses of the layers that made it; without the models of which this is not known. */
  readonly layers: ReadonlyMap<string, readonly string[]>;
}

/** Model → addresses of its layers, of the models whose folder said so when they were scored. */
function readLayerAddresses(scores: ArtifactStream): ReadonlyMap<string, readonly string[]> {
  const { models = {} } = parseMetadata("scores", scores.schema);
  return new Map(
    Object.entries(models).flatMap(([name, about]) => {
      const made = isObject(about) ? about["made"] : undefined;
      const layers: unknown = isObject(made) ? made["layers"] : undefined;
      return Array.isArray(layers) ? [[name, layers.map(String)]] : [];
    }),
  );
}

/**
 * Refuses layers that did not make the scored model: its rises would be compared with another model's damage.
 *
 * @param address of the layers
 * @throws {BadDataError} with the model that they made, where the scores have it
 */
export function requireLayersOf({ scored, layers }: ActualRises, address: string): void {
  const own = layers.get(scored);
  if (own?.includes(address) === true) return;
  const [maker] = [...layers].find(([, addresses]) => addresses.includes(address)) ?? [];
  // of a model whose layers the scores do not name, these may be the ones
  if (own === undefined && maker === undefined) return;
  const remedy =
    maker === undefined
      ? `give the layers that ${scored} was assembled from, or evaluate the model that these make`
      : `they made ${maker}: say --compressed ${maker}`;
  throw new BadDataError(`layers ${address} did not make ${scored} in the scores; ${remedy}`, { address, model: scored });
}

function chooseCompressed(models: readonly ModelScores[], wanted: string | undefined): ModelScores {
  const named = wanted === undefined ? models : models.filter(({ model }) => model === wanted);
  const [found] = named;
  if (found !== undefined && named.length === 1) return found;
  const names = models.map(({ model }) => model).join(", ") || "none";
  throw new UsageError(
    `the scores have these models besides the dense one: ${names}; say with --compressed which the layers made`,
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
  const layers = readLayerAddresses(scores);
  const windows = await collect(readScores(scores));
  const models = groupScores(windows);
  const reference = models.find(({ address }) => address === dense);
  if (reference === undefined) {
    throw new BadDataError(`the scores have none of the dense model ${dense}; evaluate it together with the compressed one`, {
      model: dense,
    });
  }
  const compressed = chooseCompressed(
    models.filter(({ address }) => address !== dense),
    wanted,
  );
  const lossRises = [...compressed.languages].map(([language, own]): [string, number] => {
    const other = reference.languages.get(language);
    if (other === undefined || !sameWindows(own, other)) {
      throw new BadDataError(
        `${compressed.model} and ${reference.model} were not scored on the same windows in ${language}; evaluate them together`,
        { language },
      );
    }
    return [language, logPerplexity(sumLosses(own)) - logPerplexity(sumLosses(other))];
  });
  const ofBoth = windows.filter(({ model }) => model === compressed.model || model === reference.model);
  const lossIntervals = comparePairs(ofBoth, reference.model).pairs.flatMap(({ language, interval: [low, high] }) =>
    Number.isNaN(low) ? [] : [[language, [Math.log1p(low), Math.log1p(high)]] as const],
  );
  return {
    scored: compressed.model,
    lossRises: Object.fromEntries(lossRises),
    lossIntervals: Object.fromEntries(lossIntervals),
    layers,
  };
}
