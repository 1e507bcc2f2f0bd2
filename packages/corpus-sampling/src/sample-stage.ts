import { encodeSegments, type Segment } from "@mbs/artifacts";
import {
  BadDataError,
  FailedPreconditionError,
  InputOutputError,
  InternalError,
  InterruptedError,
  parseOptions,
  UsageError,
  type OptionTable,
  type Stage,
  type StageContext,
} from "@mbs/contracts";
import {
  languagesForModels,
  languagesOption,
  mixForms,
  namesLanguages,
  openCorpus,
  pairLanguages,
  parseMix,
  presetNames,
  readDistribution,
  segmentsOfMix,
  sharesOf,
  sourceTargetOptions,
  takenLanguages,
  targetFieldOf,
  type Corpus,
  type Distribution,
  type ShareSources,
} from "@mbs/corpora";
import { chatOf, defaultLength, openModel, requirePositions, type Model } from "@mbs/models";
import { countSegments, floorShift, type FloorShift } from "./counts.ts";
import { coverExperts, describeCoverage } from "./cover-experts.ts";
import { ExpertCounter, requireExperts } from "./expert-counts.ts";
import { PairPool, type PairPoolOptions } from "./pair-pool.ts";
import { describeShortage, LanguagePool, type Pool, type Shortage } from "./language-pool.ts";

const defaultSegments = 256;

const options = {
  model: {
    kind: "resource",
    resource: "model",
    description: "model folder: its tokenizer, and its distribution.json unless --distribution is given",
  },
  corpus: {
    kind: "resource",
    resource: "corpus",
    description: "YAML manifest, folder of LANG.jsonl, .txt, .csv or .parquet files, or hf:datasets/org/name?languages=…",
  },
  field: {
    kind: "text",
    optional: true,
    description: 'field or column that holds texts or conversations (the manifest\'s own, else "text", else "messages")',
  },
  ...sourceTargetOptions,
  languages: languagesOption,
  mix: {
    kind: "text",
    default: "equal",
    description: `how the segments are divided among languages: ${mixForms}`,
    check: (text: string) => parseMix(text),
  },
  distribution: {
    kind: "resource",
    resource: "distribution",
    optional: true,
    description: "training mixture: a JSON file or the name of a preset",
  },
  segments: {
    kind: "integer",
    optional: true,
    minimum: 1,
    maximum: 1e6,
    description: `segments in all (where --mix has whole weights their sum, otherwise ${defaultSegments})`,
  },
  length: {
    kind: "integer",
    optional: true,
    minimum: 2,
    maximum: 1 << 19,
    description: "tokens a segment (the model's context, at most 2048)",
  },
  seed: { kind: "integer", default: 0, description: "seed of the random order of documents" },
  floor: { kind: "integer", default: 1, minimum: 0, description: "minimum number of segments of a language; 0 for none" },
  coverExperts: {
    kind: "integer",
    optional: true,
    minimum: 1,
    maximum: 1e9,
    description:
      "of a mixture of experts: run the segments through the model, and draw more text of the languages that reach them until each expert has seen so many tokens; what languages weigh stays",
  },
  coverSegments: {
    kind: "integer",
    optional: true,
    minimum: 1,
    maximum: 1e6,
    description: "with --cover-experts: segments that are drawn for it at most; default as many as without it",
  },
  reuse: { kind: "flag", description: "draw a language's documents again once all have been drawn" },
  allowShort: {
    kind: "flag",
    description: "continue if a language has too little text; what it has counts as much as all of it would",
  },
} as const satisfies OptionTable;

/** Documents between two reports. */
const reportEvery = 10_000;

/** The documents of a corpus as a model reads them; reading large files shows as progress. */
function watchedCorpus(corpus: Corpus, model: Model, context: StageContext): Pick<Corpus, "documents"> {
  return {
    async *documents(language) {
      let done = 0;
      for await (const document of corpus.documents(language, chatOf(model))) {
        done += 1;
        if (done % reportEvery === 0) context.progress({ activity: `read ${language}`, done, unit: "documents" });
        yield document;
      }
    },
  };
}

type Texts = ReturnType<Pool["segments"]>;

interface Plan {
  /** Most segments first, then by name. */
  readonly counts: readonly (readonly [string, number])[];
  readonly pools: ReadonlyMap<string, Pool>;
  readonly length: number;
}

function poolOf(pools: Plan["pools"], language: string): Pool {
  const pool = pools.get(language);
  if (pool === undefined) throw new InternalError(`sample: no texts of ${language} were opened`, { language });
  return pool;
}

/** The text of each language of a plan, of which segments are drawn one by one. @param more behind those of the plan */
const openTexts = ({ counts, pools }: Plan, more: number): ReadonlyMap<string, Texts> =>
  new Map(counts.map(([language, count]) => [language, poolOf(pools, language).segments(count, more)]));

/** Segments, a language after the other; missing tokens are put down in `shortfall`. */
async function* drawSegments(
  plan: Plan,
  texts: ReadonlyMap<string, Texts>,
  shortfall: Map<string, number>,
  allowShort: boolean,
  context: StageContext,
): AsyncGenerator<Segment, void, undefined> {
  const total = plan.counts.reduce((sum, [, count]) => sum + count, 0);
  let segment = 0;
  for (const [language, count] of plan.counts) {
    const made = texts.get(language);
    for (let taken = 0; taken < count; taken += 1) {
      const next = await made?.next();
      if (context.signal.aborted) throw new InterruptedError("sample: stopped");
      if (next === undefined || next.done) {
        if (next?.value !== undefined) {
          reportShortage(language, count, plan.length, next.value, allowShort, context);
          shortfall.set(language, next.value.missing);
        }
        break;
      }
      yield { segment, language, ...next.value };
      segment += 1;
      context.progress({ activity: `sample ${language}`, done: segment, total, unit: "segments" });
    }
  }
}

function reportShortage(
  language: string,
  count: number,
  length: number,
  shortage: Shortage,
  allowShort: boolean,
  context: StageContext,
): void {
  const what = describeShortage(language, count, length, shortage);
  if (allowShort) {
    context.warn(`${what}; going on ${shortage.made === 0 ? "without it" : `with ${shortage.made}, which count as ${count}`}`);
    return;
  }
  throw new BadDataError(`${what}; add text, lower --segments or --length, or pass --reuse or --allow-short`, {
    language,
    missing: shortage.missing,
  });
}

/** Beyond its context a model computes, but not as it was trained to. */
function warnBeyondContext(length: number, contextLength: number | undefined, { warn }: StageContext): void {
  if (contextLength === undefined || length <= contextLength) return;
  warn(
    `segments of ${length} tokens are longer than the ${contextLength} that the model was made for; lower --length unless it is known to extrapolate, as with ALiBi`,
  );
}

/**
 * Tokens of a language below which it loses clearly more: on Gemma 3 270m at 3 bits a mean of 0.07 nats more with 512 than with 1536,
 * the worst language 0.16 (docs/languages.md). Narrower models, such as those of tests, need no more than they are wide.
 */
const enoughTokens = 512;

/** Says which languages have little text. */
function warnOfLittleText(
  counts: readonly (readonly [string, number])[],
  length: number,
  model: Model,
  warn: StageContext["warn"],
): void {
  const enough = Math.min(enoughTokens, model.blocks[0]?.sites[0]?.width ?? enoughTokens);
  const few = counts.filter(([, count]) => count * length < enough).toReversed();
  if (few.length === 0) return;
  const shown = few.slice(0, 3).map(([language, count]) => `${language} ${count * length} tokens`);
  const more = few.length > shown.length ? ` and ${few.length - shown.length} more` : "";
  warn(
    `little text: ${shown.join(", ")}${more}; with fewer than ${enough} a language loses clearly more; raise --segments or --length, or take fewer languages`,
  );
}

const percent = (part: number): string => `${(100 * part).toFixed(part < 0.1 ? 1 : 0)}%`;

/** One line on a mix that is far from what was asked for. */
function describeShift({ mix, floor }: SampleOptions, segments: number, { raised, given, asked, enough }: FloorShift): string {
  return `mix ${mix} with ${segments} segments: ${raised === 1 ? "1 language gets" : `${raised} languages get`} ${percent(given)} of them, where the mix asks for ${percent(asked)}, since each gets at least ${floor}; with ${enough} segments this moves less than 5%, with --floor 0 nothing`;
}

type SampleOptions = ReturnType<typeof parseSampleOptions>;

/**
 * Segments of each language.
 *
 * @throws {UsageError} on a language that the corpus does not have, or fewer segments than languages need
 */
async function countsOf(values: SampleOptions, sources: ShareSources): Promise<ReadonlyMap<string, number>> {
  const mix = parseMix(values.mix);
  const shares = await sharesOf(mix, sources);
  const segments = values.segments ?? segmentsOfMix(mix) ?? defaultSegments;
  const counts = countSegments(shares, segments, values.floor);
  const shift = floorShift(shares, segments, values.floor);
  if (shift !== undefined) sources.warn(describeShift(values, segments, shift));
  return counts;
}

/** @throws {UsageError} where none was named and the model has none */
async function distributionOf({ distribution, model, mix }: SampleOptions): Promise<Distribution> {
  if (distribution !== undefined) return readDistribution(distribution);
  return readDistribution(model).catch((error: unknown): never => {
    if (!(error instanceof InputOutputError)) throw error;
    throw new UsageError(
      `--mix ${mix} weighs languages by what the model was trained on, and ${model} has no distribution.json; give --distribution (sample.distribution in a recipe): a JSON file, or one of ${presetNames.join(", ")}; or take --mix equal, as much of each language`,
      { option: "--mix", model },
      { cause: error },
    );
  });
}

/** The languages that are taken, and whether these were chosen: by `--languages`, or since the model was trimmed for them. */
function chooseLanguages(corpus: Corpus, model: Model, { languages, mix }: SampleOptions, warn: (message: string) => void) {
  const kept = namesLanguages(parseMix(mix)) ? undefined : model.trimming?.keep;
  const taken = languagesForModels(corpus, languages, [kept], warn);
  return { ...taken, areNamed: (languages ?? kept) !== undefined };
}

/**
 * How the pool of a language is made.
 *
 * @throws {FailedPreconditionError} where a model is to read what it does not
 */
async function poolMaker(
  model: Model,
  corpus: Pick<Corpus, "documents">,
  options: PairPoolOptions,
  values: SampleOptions,
): Promise<(language: string) => Pool> {
  const [tokenizer, { ofPair }] = [await model.tokenizer(), await model.passages()];
  if (!values.sourceTarget) return (language) => new LanguagePool(corpus, language, tokenizer, options);
  if (ofPair === undefined) {
    throw new FailedPreconditionError(`${model.path} is a decoder, which reads texts and no targets; leave out --source-target`, {
      model: model.path,
    });
  }
  return (language) => new PairPool(corpus, { tokenizer, ofPair, languages: pairLanguages(language, values) }, options);
}

async function makePlan(values: SampleOptions, context: StageContext) {
  const { warn, signal, progress } = context;
  const opened = await openCorpus(values.corpus, {
    field: values.field,
    targetField: targetFieldOf(values),
    warn,
    signal,
    progress,
  });
  const model = await openModel(values.model, { progress, pool: context.pool });
  try {
    const corpus = watchedCorpus(opened, model, context);
    const length = values.length ?? defaultLength(model.contextLength);
    requirePositions(length, model);
    if (values.coverExperts !== undefined) requireExperts(model);
    warnBeyondContext(length, model.contextLength, context);
    const taken = chooseLanguages(opened, model, values, warn);
    const makePool = await poolMaker(model, corpus, { length, seed: values.seed, reuse: values.reuse, warn }, values);
    const pools = new Map(taken.languages.map((language) => [language, makePool(language)]));
    let distribution: Distribution | undefined;
    const sources = {
      ...taken,
      warn: context.warn,
      distribution: async () => (distribution = await distributionOf(values)),
      tokensPerByte: (language: string) => poolOf(pools, language).tokensPerByte(),
    };
    const counts = await countsOf(values, sources);
    if (values.distribution !== undefined && distribution === undefined) {
      warn(`--mix ${values.mix} does not weigh languages by the distribution; --mix proportional does`);
    }
    const sorted = [...counts]
      .filter(([, count]) => count > 0)
      .sort(([a, first], [b, second]) => second - first || (a < b ? -1 : 1));
    warnOfLittleText(sorted, length, model, warn);
    const metadata = {
      tokenizer: model.tokenizerAddress,
      corpus: await opened.address,
      distribution: distribution?.address ?? "",
      length,
      seed: values.seed,
      mix: values.mix,
    };
    return { plan: { counts: sorted, pools, length } satisfies Plan, metadata };
  } finally {
    await model.close();
  }
}

function parseSampleOptions(raw: unknown) {
  const values = parseOptions(options, raw, "sample");
  targetFieldOf(values);
  if (values.coverSegments !== undefined && values.coverExperts === undefined) {
    throw new UsageError("sample: --cover-segments goes with --cover-experts", { option: "--cover-segments" });
  }
  return values;
}

const countOf = ({ counts }: Plan): number => counts.reduce((sum, [, count]) => sum + count, 0);

/** Segments of each language of a plan. */
function countLanguages({ counts }: Plan, segments: readonly Segment[]): Record<string, number> {
  const made = new Map(counts.map(([language]) => [language, 0]));
  for (const { language } of segments) made.set(language, (made.get(language) ?? 0) + 1);
  return Object.fromEntries(made);
}

/**
 * Tokens of each language in all segments that the mix asks for, as long in the mean as those that were drawn; without languages
 * that have none.
 */
function askedTokens({ counts }: Plan, drawn: readonly Segment[]): Record<string, number> {
  const asked: Record<string, number> = {};
  for (const [language, wanted] of counts) {
    const own = drawn.filter((segment) => segment.language === language);
    const tokens = own.reduce((sum, segment) => sum + segment.tokens.length, 0);
    if (own.length > 0) asked[language] = Math.round((tokens * wanted) / own.length);
  }
  return asked;
}

/** What is added to cover experts, where that is asked for. */
async function cover(
  drawn: readonly Segment[],
  texts: ReadonlyMap<string, Texts>,
  most: number,
  { coverExperts: wanted, model: path }: SampleOptions,
  context: StageContext,
): Promise<{ readonly added: readonly Segment[]; readonly coverage?: Readonly<Record<string, unknown>> }> {
  if (wanted === undefined) return { added: [] };
  const started = performance.now();
  const model = await openModel(path, { progress: context.progress, pool: context.pool });
  try {
    const forward = await model.forward({ threads: context.threads });
    try {
      const counter = new ExpertCounter(model, forward);
      const length = drawn[0]?.tokens.length ?? 0;
      const { added, coverage } = await coverExperts(drawn, texts, counter, { wanted, most, length }, context);
      context.warn(describeCoverage(coverage, (performance.now() - started) / 1000));
      return { added, coverage: { ...coverage } };
    } finally {
      await forward.close();
    }
  } finally {
    await model.close();
  }
}

/**
 * Stage `sample`: texts to segments of tokens, each language as often as the mix asks for.
 *
 * Segments are numbered from 0; languages follow each other, most segments first, then by name. Same corpus, options and
 * seed give the same segments, whatever the number of threads.
 */
export const sample: Stage = {
  name: "sample",
  summary: "Draw segments of text of each language, as many as a mix says.",
  examples: [
    "mbs sample --model M --corpus C --segments 256 --length 2048 --seed 0 > segments.arrow",
    "mbs sample --model M --corpus C --mix proportional --distribution bloom > segments.arrow",
    "mbs sample --model M --corpus C --mix en=0.5,hi=0.3,mr=0.2 --segments 256 > segments.arrow",
    "mbs sample --model M --corpus C --mix en=87,zh=47,fr=37 > segments.arrow",
    "mbs sample --model M --corpus C --segments 256 --cover-experts 2048 > segments.arrow",
    "mbs sample --model nllb/ --corpus translations/ --source-target --target-language de --segments 4096 --mix equal > segments.arrow",
    "mbs sample --model trimmed/ --corpus C --languages en,hi --mix equal > segments.arrow",
  ],
  inputs: {},
  outputs: { segments: { kind: "segments", description: "token ids of each segment, with its language" } },
  options,
  async checkPlan(raw) {
    // a recipe names the languages that a trimmed model keeps
    const values = parseSampleOptions(raw);
    const taken = takenLanguages(await openCorpus(values.corpus), values.languages);
    const distribution = () => distributionOf(values);
    // how many segments each gets does not matter here
    await countsOf(values, { ...taken, distribution, tokensPerByte: () => Promise.resolve(1), warn: () => {} });
  },
  async run(_inputs, raw, context) {
    const values = parseSampleOptions(raw);
    const { plan, metadata } = await makePlan(values, context);
    const shortfall = new Map<string, number>();
    const most = values.coverExperts === undefined ? 0 : (values.coverSegments ?? countOf(plan));
    const texts = openTexts(plan, most);
    const drawn = drawSegments(plan, texts, shortfall, values.allowShort, context);
    if (!values.allowShort && values.coverExperts === undefined) {
      return { segments: encodeSegments(drawn, { ...metadata, counts: Object.fromEntries(plan.counts), shortfall: {} }) };
    }
    // The artifact's header says what is missing or added, so everything is drawn before the header is written.
    const segments: Segment[] = [];
    for await (const segment of drawn) segments.push(segment);
    if (segments.length === 0) throw new BadDataError("no language has text for a single segment; lower --length or add text");
    const { added, ...more } = await cover(segments, texts, most, values, context);
    const all = [...segments, ...added];
    // what was added to cover experts makes no language weigh more, and what is missing none less
    const ofMix = askedTokens(plan, segments);
    return {
      segments: encodeSegments(all, {
        ...metadata,
        counts: countLanguages(plan, all),
        shortfall: Object.fromEntries(shortfall),
        ...((added.length > 0 || shortfall.size > 0) && { ofMix }),
        ...more,
      }),
    };
  },
};
