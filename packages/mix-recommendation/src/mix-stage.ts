import { encodeMixes, groupScores, parseMetadata, collectScores } from "@mbs/artifacts";
import type { MixRecord, NumbersByName, Score } from "@mbs/artifacts";
import { UsageError, at, defineStage, parseLanguageMix } from "@mbs/contracts";
import type { LanguageMix } from "@mbs/contracts";
import { parseDistribution, parseMix, sharesOf } from "@mbs/corpora";
import { comparePairs, readScoredModels } from "@mbs/evaluation";
import { bestMix, evenMixWithin, lossAt, meanLoss, predictLosses, usualExponent } from "./loss-law.ts";
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
  const mix = parseMix(text);
  const distribution = () => {
    const about = { unit: "tokens", source: "the scores", shares: training };
    if (training !== undefined) return Promise.resolve(parseDistribution(about, "training mixture"));
    throw new UsageError(
      `--mix ${text} needs the training mixture; evaluate with --shares, or say the mix as weights:LANG=WEIGHT,…`,
      {
        option: "--mix",
      },
    );
  };
  const sources = {
    languages,
    origin: "the scores have",
    areNamed: true,
    distribution,
    tokensPerByte: () => Promise.resolve(1),
    warn,
  };
  return normalised(mix.kind === "counts" ? mix.counts : await sharesOf(mix, sources));
}

/** Names of the model that was compressed and of the dense one, which stands first. */
function comparedModels(
  scores: readonly Score[],
  wanted: string | undefined,
): { readonly model: string; readonly dense: string } {
  const names = groupScores(scores).map(({ model }) => model);
  const [dense, ...compressed] = names;
  if (dense === undefined || compressed.length === 0) {
    throw new UsageError(
      "mix: the scores have one model; evaluate the dense model and a compressed one together, the dense one first",
    );
  }
  const model = wanted ?? (compressed.length === 1 ? compressed[0] : undefined);
  if (model !== undefined && compressed.includes(model)) return { model, dense };
  const what = wanted === undefined ? "say with --label which one was calibrated with --mix" : `no compressed model ${wanted}`;
  throw new UsageError(`mix: ${what}; the scores have ${compressed.join(", ")}`, { option: "--label" });
}

/**
 * What the compressed model lost in each language that both models were scored in.
 *
 * @param shares of its calibration text
 * @throws {UsageError} where it was not calibrated with text of one, or a language has too few windows for an interval
 */
function measuredLosses(
  scores: readonly Score[],
  { model, dense }: { readonly model: string; readonly dense: string },
  shares: LanguageMix,
): MeasuredLosses {
  const pairs = comparePairs(scores, dense).pairs.filter((pair) => pair.model === model);
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
    return [language, { share, loss: Math.log1p(rise), interval: [Math.log1p(low), Math.log1p(high)] }];
  });
  if (losses.length < 2) throw new UsageError("mix: it takes scores of two languages or more, of both models on the same texts");
  const all = normalised(new Map(losses.map(([language, { share }]) => [language, share])));
  return new Map(losses.map(([language, loss]) => [language, { ...loss, share: all.get(language) ?? 0 }]));
}

/** How much each language counts: as asked, or by the training mixture, or all alike. */
function importanceOf(asked: string | undefined, training: NumbersByName | undefined, languages: readonly string[]): LanguageMix {
  const given = asked === undefined ? new Map(Object.entries(training ?? {})) : parseLanguageMix(asked, "--importance");
  const unknown = asked === undefined ? [] : [...given.keys()].filter((language) => !languages.includes(language));
  if (unknown.length > 0) {
    throw new UsageError(`--importance names ${unknown.join(", ")}; the scores have ${languages.join(", ")}`, {
      option: "--importance",
    });
  }
  const rest = asked === undefined && training !== undefined ? 0 : 1;
  const importance = new Map(languages.map((language) => [language, given.get(language) ?? rest]));
  return [...importance.values()].some((weight) => weight > 0) ? importance : new Map(languages.map((language) => [language, 1]));
}

/** Stage `mix`: recommends a mix of calibration text from what one compressed model lost. */
export const mix = defineStage({
  name: "mix",
  summary: "Recommend how much calibration text each language gets, from what one compressed model lost in each.",
  examples: [
    "mbs evaluate --model M --model out/model --corpus validation.yaml | mbs mix",
    "mbs mix --within 0.2 < scores.arrow",
    "mbs mix --goal mean --importance hi=3,en=1 --json < scores.arrow",
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
    goal: {
      kind: "choice",
      choices: ["worst", "mean"],
      default: "worst",
      description: "what is made small: the loss of the language that loses most, or the mean loss by importance",
    },
    within: {
      kind: "number",
      default: 0.05,
      minimum: 0,
      description:
        "with --goal worst: by what part the mean loss by importance may lie above that of a mix in proportion to importance; 0.05 is 5%",
    },
    importance: {
      kind: "text",
      optional: true,
      placeholder: "LANG=NUMBER,…",
      description:
        "how much each language counts in the mean, 1 for those not named; default: its share of the training mixture that the scores know, else all alike",
    },
    label: {
      kind: "text",
      optional: true,
      placeholder: "NAME",
      description: "which compressed model of the scores; needed where there are several",
    },
    exponent: {
      kind: "number",
      default: usualExponent,
      minimum: 0.01,
      maximum: 1,
      description: "how fast more text of a language lowers its loss: the loss goes as its share to the power of minus this",
    },
  },
  async run({ scores }, options, { warn }) {
    const stream = at(scores, 0);
    const { goal, within, exponent } = options;
    const { shares: training, models: described } = parseMetadata("scores", stream.schema);
    const { windows } = await collectScores(stream);
    const models = comparedModels(windows, options.label);
    const made = readScoredModels(described).get(models.model)?.made?.mix;
    if (options.mix === undefined && made === undefined) {
      throw new UsageError(
        `mix: the scores do not know the mix that ${models.model} was calibrated with, since its folder has no mbs.json; say it with --mix`,
        { option: "--mix" },
      );
    }
    const scored = [
      ...(groupScores(windows)
        .find(({ model }) => model === models.model)
        ?.languages.keys() ?? []),
    ];
    const shares =
      options.mix === undefined ? new Map(Object.entries(made ?? {})) : await sharesOfMix(options.mix, scored, training, warn);
    const losses = measuredLosses(windows, models, shares);
    const languages = [...losses.keys()];
    const importance = importanceOf(options.importance, training, languages);
    for (const [language, { loss }] of losses) {
      if (loss <= 0) warn(`${language} lost nothing; it gets as little text as the law allows, a sixth of its measured share`);
    }

    const others = ["equal", ...(training === undefined ? [] : ["proportional", usualTemperature])];
    const mixes = new Map<string, LanguageMix>();
    for (const name of others) {
      const shares = await sharesOfMix(name, languages, training, () => undefined);
      // what a language without text would lose does not follow
      if (languages.every((language) => (shares.get(language) ?? 0) > 0)) mixes.set(name, rounded(shares));
    }
    const limit = meanLoss(predictLosses(losses, normalised(importance), exponent), importance) * (1 + within);
    const best =
      goal === "mean"
        ? bestMix(losses, { importance, evenness: 1 }, exponent)
        : evenMixWithin(losses, importance, limit, exponent);
    if (best === undefined) {
      throw new UsageError(
        `--within ${within}: no mix keeps the mean so low with shares from a sixth of the measured ones to six times them; allow more, or measure with a mix nearer to importance`,
        { option: "--within" },
      );
    }
    mixes.set(goal, rounded(best));

    const records = [...mixes].flatMap(([name, shares]) =>
      [...losses].map(([language, measured]): MixRecord => {
        const weight = shares.get(language) ?? 0;
        const at = (nats: number): number => lossAt(nats, measured, weight, exponent);
        const [low, high] = measured.interval;
        return { mix: name, language, weight, loss: at(measured.loss), low: at(low), high: at(high) };
      }),
    );
    const metadata = {
      model: models.model,
      dense: models.dense,
      measured: Object.fromEntries([...losses].map(([language, { share }]) => [language, share])),
      exponent,
      goal,
      recommended: goal,
      within: goal === "mean" ? 0 : within,
      importance: Object.fromEntries(importance),
    };
    return { mixes: encodeMixes(records, metadata) };
  },
});
