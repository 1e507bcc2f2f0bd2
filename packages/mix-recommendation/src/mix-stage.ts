import { encodeMixes, groupScores, parseMetadata, collectScores } from "@mbs/artifacts";
import type { MixRecord, NumbersByName, Score } from "@mbs/artifacts";
import { areProportional, at, BadDataError, defineStage, parseLanguageMix, UsageError } from "@mbs/contracts";
import type { LanguageMix } from "@mbs/contracts";
import { parseDistribution, parseMix, sharesOf } from "@mbs/corpora";
import { comparePairs, readScoredModels } from "@mbs/evaluation";
import type { ScoredModel } from "@mbs/evaluation";
import { bestMix, intervalAt, lossAt, lossExponent } from "./loss-law.ts";
import type { MeasuredLoss, MeasuredLosses } from "./loss-law.ts";

/** Shares to this power are compared where a training mixture is known: how XLM-R and mT5 sample. */
const usualTemperature = "temperature:0.3";

/** Shares of all languages, sum 1. */
function normalised(mix: LanguageMix): LanguageMix {
  const sum = [...mix.values()].reduce((total, weight) => total + weight, 0);
  return new Map([...mix].map(([language, weight]) => [language, weight / sum]));
}

/** Shares with three digits, so that the printed mix is exactly the one that is predicted. */
const rounded = (mix: LanguageMix): LanguageMix =>
  new Map([...mix].map(([language, share]) => [language, Number(share.toPrecision(3))]));

/**
 * The shares that a mix gives to languages, sum 1.
 *
 * @param training shares of the training mixture, which proportional and temperature follow
 * @throws {UsageError} where they are asked for and it is not known, or a language is named that was not scored
 */
async function sharesOfMix(
  text: string,
  languages: readonly string[],
  training: NumbersByName | undefined,
  warn: (message: string) => void,
): Promise<LanguageMix> {
  const distribution = () => {
    const about = { unit: "tokens", source: "the scores", shares: training };
    if (training !== undefined) return Promise.resolve(parseDistribution(about, "training mixture"));
    throw new UsageError(`--mix ${text} needs the training mixture; evaluate with --shares, or say the mix as LANG=WEIGHT,…`, {
      option: "--mix",
    });
  };
  const sources = {
    languages,
    origin: "the scores have",
    areNamed: true,
    distribution,
    tokensPerByte: () => Promise.resolve(1),
    warn,
  };
  return normalised(await sharesOf(parseMix(text), sources));
}

/** A compressed model, the dense one, which stands first, and the languages that the compressed one was scored in. */
interface ComparedModels {
  readonly model: string;
  readonly dense: string;
  readonly languages: readonly string[];
}

function comparedModels(scores: readonly Score[], wanted: string | undefined): ComparedModels {
  const [dense, ...compressed] = groupScores(scores);
  if (dense === undefined || compressed.length === 0) {
    throw new UsageError(
      "mix: the scores have one model; evaluate the dense model and a compressed one together, the dense one first",
    );
  }
  const found =
    wanted === undefined && compressed.length === 1 ? compressed[0] : compressed.find(({ model }) => model === wanted);
  if (found) return { model: found.model, dense: dense.model, languages: [...found.languages.keys()] };
  const what = wanted === undefined ? "say with --label which one was calibrated with --mix" : `no compressed model ${wanted}`;
  throw new UsageError(`mix: ${what}; the scores have ${compressed.map(({ model }) => model).join(", ")}`, {
    option: "--label",
  });
}

/** @throws {UsageError} where the first model was compressed too, and is not what the other one was made from */
function requireDense(scores: readonly Score[], { model, dense }: ComparedModels, known: ReadonlyMap<string, ScoredModel>): void {
  const isCompressed = (known.get(dense)?.made?.methods.length ?? 0) > 0;
  if (!isCompressed || known.get(model)?.made?.source === scores[0]?.address) return;
  throw new UsageError(
    `mix: ${dense}, the first of the scores, is a compressed model; evaluate first the model that ${model} was made from`,
  );
}

/**
 * What the compressed model lost in each language that both models were scored in.
 *
 * @param shares of its calibration text, sum 1
 * @throws {UsageError} where it was calibrated with a language that was not scored, or the other way round, a language has too few
 * windows for an interval, or nothing was lost
 * @throws {BadDataError} where the dense model is so bad that its perplexity leaves nothing to compare
 */
function measuredLosses(
  scores: readonly Score[],
  { model, dense }: Pick<ComparedModels, "model" | "dense">,
  shares: LanguageMix,
): MeasuredLosses {
  const pairs = comparePairs(scores, dense).pairs.filter((pair) => pair.model === model);
  const unscored = [...shares].filter(([language, share]) => share > 0 && pairs.every((pair) => pair.language !== language));
  if (unscored.length > 0) {
    const names = unscored.map(([language]) => language).join(", ");
    throw new UsageError(
      `mix: ${model} was calibrated with text of ${names}, in which both models were not scored on the same windows; evaluate both with the same texts of all its languages, since a mix would leave these out`,
      { languages: names },
    );
  }
  const losses = pairs.map(({ language, rise, interval: [low, high] }): readonly [string, MeasuredLoss] => {
    const share = shares.get(language) ?? 0;
    if (share === 0) {
      throw new UsageError(
        `mix: ${model} was calibrated without text of ${language}, so nothing follows for a mix that has some; compress with text of every language, such as --mix equal`,
        { language },
      );
    }
    if (Number.isNaN(low))
      throw new UsageError(`mix: ${language} has fewer than 5 windows, too few to tell what it lost; evaluate with more`, {
        language,
      });
    if (!(rise > -1)) {
      throw new BadDataError(
        `mix: ${dense} is no model of ${language}: ${model} loses almost nothing beside it; evaluate again`,
        {
          language,
        },
      );
    }
    return [language, { share, loss: Math.log1p(rise), interval: [Math.log1p(low), Math.log1p(high)] }];
  });
  if (losses.length < 2) throw new UsageError("mix: it takes scores of two languages or more, of both models on the same texts");
  if (losses.every(([, { interval }]) => interval[0] <= 0)) {
    throw new UsageError(
      `mix: ${model} lost nothing that stands out from chance in any language, so no mix is better than its own; evaluate with more windows to tell more`,
    );
  }
  return new Map(losses);
}

/** Word for languages that count as in the training mixture. */
const byShares = "shares";

/**
 * How much each language counts: all alike, as asked, or by the training mixture.
 *
 * @throws {UsageError} where a language is named that was not scored, or the training mixture does not have all languages
 */
function importanceOf(asked: string | undefined, training: NumbersByName | undefined, languages: readonly string[]): LanguageMix {
  if (asked === byShares) return sharesAsImportance(training, languages);
  const named = asked === undefined ? new Map<string, number>() : parseLanguageMix(asked, "--importance");
  const unknown = [...named.keys()].filter((language) => !languages.includes(language));
  if (unknown.length > 0) {
    throw new UsageError(`--importance names ${unknown.join(", ")}; the scores have ${languages.join(", ")}`, {
      option: "--importance",
    });
  }
  return new Map(languages.map((language) => [language, named.get(language) ?? 1]));
}

function sharesAsImportance(training: NumbersByName | undefined, languages: readonly string[]): LanguageMix {
  if (training === undefined) {
    throw new UsageError("--importance shares needs the training mixture, which the scores do not know; evaluate with --shares", {
      option: "--importance",
    });
  }
  const known = new Map(Object.entries(training).filter(([, share]) => share > 0));
  const missing = languages.filter((language) => !known.has(language));
  if (missing.length > 0) {
    throw new UsageError(
      `--importance shares: the training mixture has no ${missing.join(", ")}; give numbers, such as ${missing[0] ?? "en"}=1`,
      { option: "--importance" },
    );
  }
  return new Map(languages.map((language) => [language, known.get(language) ?? 0]));
}

/** Solvers that choose what to drop or round and correct no other weight for it. */
const uncorrecting: ReadonlySet<string> = new Set(["rtn", "magnitude", "wanda", "m-wanda"]);

/** Stage `mix`: recommends a mix of calibration text from what one compressed model lost. */
export const mix = defineStage({
  name: "mix",
  summary: "Recommend how much calibration text each language gets, from what one compressed model lost in each.",
  examples: [
    "mbs evaluate --model M --model out/model --corpus validation.yaml | mbs mix",
    "mbs mix --power 8 < scores.arrow",
    "mbs mix --importance hi=3,en=1 --json < scores.arrow",
  ],
  inputs: {
    scores: {
      kinds: ["scores"],
      description: "of the dense model and one compressed from it, on texts that are not for calibration",
    },
  },
  outputs: {
    mixes: { kind: "mixes", description: "the recommended mix and some others, with what each language is predicted to lose" },
  },
  options: {
    mix: {
      kind: "text",
      optional: true,
      placeholder: "MIX",
      description:
        "the mix that the compressed model was calibrated with, as mbs sample takes it; default: that of its mbs.json, which the scores know",
      check: parseMix,
    },
    power: {
      kind: "number",
      default: 4,
      minimum: 1,
      maximum: 100,
      description:
        "what is made small is the mean of losses to this power: 1 for the mean, more to help the languages that lose most",
    },
    importance: {
      kind: "text",
      optional: true,
      placeholder: "LANG=NUMBER,…|shares",
      description:
        "how much each language counts, 1 for those not named, or its share of the training mixture that the scores know; default: all alike",
      check: (text: string) => text === byShares || parseLanguageMix(text, "--importance"),
    },
    label: {
      kind: "text",
      optional: true,
      placeholder: "NAME",
      description: "which compressed model of the scores; needed where there are several",
    },
  },
  async run({ scores }, options, { warn }) {
    const stream = at(scores, 0);
    const { shares: training, models: described } = parseMetadata("scores", stream.schema);
    const { windows } = await collectScores(stream);
    const models = comparedModels(windows, options.label);
    const known = readScoredModels(described);
    requireDense(windows, models, known);
    const made = known.get(models.model)?.made;
    const calibrated = Object.entries(made?.mix ?? {});
    if (options.mix === undefined && calibrated.length === 0) {
      throw new UsageError(
        `mix: the scores do not know the mix that ${models.model} was calibrated with, since its folder has no mbs.json with one; say it with --mix`,
        { option: "--mix" },
      );
    }
    const solvers = made?.methods.map(({ solver }) => solver) ?? [];
    if (solvers.length > 0 && solvers.every((solver) => uncorrecting.has(solver))) {
      warn(`${models.model} was made by ${solvers.join(", ")}, where mixes change far less than is predicted here`);
    }
    const shares =
      options.mix === undefined
        ? normalised(new Map(calibrated))
        : await sharesOfMix(options.mix, models.languages, training, warn);
    const losses = measuredLosses(windows, models, shares);
    const languages = [...losses.keys()];
    const importance = importanceOf(options.importance, training, languages);

    const measured = new Map([...losses].map(([language, { share }]) => [language, share]));
    const mixes = new Map<string, LanguageMix>();
    for (const name of ["equal", ...(training === undefined ? [] : ["proportional", usualTemperature])]) {
      const own = await sharesOfMix(name, languages, training, () => undefined);
      // what a language without text would lose does not follow
      if (languages.every((language) => (own.get(language) ?? 0) > 0)) mixes.set(name, own);
    }
    if (![...mixes.values()].some((own) => areProportional(own, measured))) mixes.set("measured", measured);
    mixes.set("recommended", bestMix(losses, { importance, power: options.power }));

    const records = [...mixes].flatMap(([name, own]) => {
      const shown = rounded(own);
      const isMeasured = areProportional(own, measured);
      return [...losses].map(([language, loss]): MixRecord => {
        const weight = shown.get(language) ?? 0;
        // of the mix that was measured nothing is predicted
        const [low, high] = isMeasured ? loss.interval : intervalAt(loss, weight);
        return { mix: name, language, weight, loss: isMeasured ? loss.loss : lossAt(loss.loss, loss, weight), low, high };
      });
    });
    const metadata = {
      model: models.model,
      dense: models.dense,
      measured: Object.fromEntries(measured),
      exponent: lossExponent,
      power: options.power,
      recommended: "recommended",
      importance: Object.fromEntries(importance),
    };
    return { mixes: encodeMixes(records, metadata) };
  },
});
