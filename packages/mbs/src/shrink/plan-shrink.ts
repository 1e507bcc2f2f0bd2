import { readdir, rm } from "node:fs/promises";
import { basename } from "node:path";
import { makeTemporaryFolder } from "@mbs/artifacts";
import { calibrationCorpora } from "@mbs/calibration-texts";
import {
  BadDataError,
  createObjectPool,
  DeniedError,
  formatBytes,
  InterruptedError,
  parseBytes,
  parseOptions,
  splitKept,
  UsageError,
} from "@mbs/contracts";
import type { StageContext } from "@mbs/contracts";
import { isDatasetName, openCorpus } from "@mbs/corpora";
import type { Corpus } from "@mbs/corpora";
import { countWindows, leastWindows } from "@mbs/evaluation";
import { parseMemory } from "@mbs/host-cli";
import type { Reporter } from "@mbs/host-cli";
import { chatOf, openModel, requireDense } from "@mbs/models";
import type { Model } from "@mbs/models";
import { estimate, parseRecipe } from "@mbs/pipeline";
import type { Estimate, Stages } from "@mbs/pipeline";
import { reportVocabulary, trimmingOptions } from "@mbs/trimming";
import { fewestSegments, segmentLength, segmentsFor, windowLength } from "./defaults.ts";
import type { ShrinkBits } from "./defaults.ts";
import { parseDuration } from "./duration.ts";
import { fitSegments } from "./fit-segments.ts";
import type { SegmentsEstimate } from "./fit-segments.ts";
import { chooseLanguages } from "./languages.ts";
import { effortText, planText } from "./plan-text.ts";
import { defaultOutput, gateOf } from "./shrink-options.ts";
import type { ShrinkOptions } from "./shrink-options.ts";
import { begunSegments, ownNames, recipePath, shrinkRecipe, textsFolder, usualRecipe } from "./shrink-recipe.ts";
import type { ShrinkChoices } from "./shrink-recipe.ts";
import { readSource, requireSmaller, requireSourceBits, requireTextLosses } from "./shrink-source.ts";
import type { ShrinkSource } from "./shrink-source.ts";
import { planTarget } from "./target.ts";
import { dividedCorpus, divideCorpus, textsIn, writeDividedTexts } from "./texts.ts";
import type { DividedTexts, TextSources } from "./texts.ts";
import { loadStages } from "../stages.ts";

/** @throws {DeniedError} where the output is a file, or a folder with other things than this command writes */
async function requireOutput(output: string): Promise<void> {
  const elsewhere = "name another folder with --output";
  const found = await readdir(output).catch((error: NodeJS.ErrnoException): readonly string[] => {
    if (error.code === "ENOTDIR") throw new DeniedError(`${output} is a file; ${elsewhere}`, { path: output });
    return [];
  });
  const other = found.find((name) => !ownNames.has(name) && !name.startsWith("."));
  if (other !== undefined && !found.includes(basename(recipePath(output)))) {
    throw new DeniedError(`${output} holds files of others, such as ${other}; ${elsewhere}`, { path: output });
  }
}

/** The name of texts, with the languages that are asked for where it is that of a dataset without. */
const withLanguages = (name: string, languages: readonly string[] | undefined): string =>
  !isDatasetName(name) || languages === undefined || /[?&]languages=/.test(name)
    ? name
    : `${name}${name.includes("?") ? "&" : "?"}languages=${languages.join(",")}`;

/** The texts of a path, or those that come with the program. */
async function openTexts(
  path: string | undefined,
  languages: readonly string[] | undefined,
  warn: (line: string) => void,
): Promise<TextSources> {
  if (path !== undefined) return { corpus: await openCorpus(withLanguages(path, languages), { warn }), heldOut: undefined };
  const { calibration, "held-out": heldOut } = calibrationCorpora;
  return { corpus: await openCorpus(calibration, { warn }), heldOut: await openCorpus(heldOut, { warn }) };
}

/** Share of a model's tokens that no text of a corpus has. */
async function shareLeftOut(model: Model, corpus: Corpus, context: Pick<StageContext, "signal" | "progress">): Promise<number> {
  const { multiple } = parseOptions({ multiple: trimmingOptions.multiple }, {}, "shrink");
  const question = { corpus, keep: corpus.languages, heldOut: undefined, multiple };
  const { rows, trimmed } = await reportVocabulary(model, question, context);
  return trimmed === undefined ? 0 : 1 - trimmed.rows / rows;
}

/** How much text there is time for, and what all that is run takes. */
async function fitPlan(
  choices: ShrinkChoices,
  { within, size, threads, device, memory: limit }: ShrinkOptions,
  stages: Stages,
  { progress }: Reporter,
  signal: AbortSignal,
): Promise<SegmentsEstimate> {
  const memory = limit === undefined ? undefined : parseMemory(limit);
  const pool = createObjectPool(splitKept(memory).pool);
  const estimateOf = (recipe: string): Promise<Estimate> =>
    estimate(parseRecipe(recipe, "shrink.yaml"), {
      stages,
      threads,
      device,
      memory,
      pool,
      signal,
      progress: (of) => progress({ ...of, activity: `plan: ${of.activity}` }),
      // the run says it again
      warn: () => undefined,
    });
  try {
    const usual = await estimateOf(usualRecipe(choices));
    const limits = {
      most: choices.segments,
      fewest: Math.min(choices.segments, Math.max(fewestSegments, choices.languages.tags.length)),
      length: choices.segmentLength,
      seconds: within === undefined ? undefined : parseDuration(within),
      remedy: `${choices.languages.tags.length > 1 ? "take fewer languages" : "take a smaller model"}${size === undefined ? "" : ", or give --bits in place of --size, which compares many types"}`,
    };
    return await fitSegments(limits, async (segments) => {
      const shrunk = await estimateOf(shrinkRecipe({ ...choices, segments }));
      return { ...shrunk, seconds: shrunk.seconds + usual.seconds };
    });
  } finally {
    await pool.close();
  }
}

/** The plan without a trace in the output folder: it reads texts in a temporary folder, which is removed. */
async function fitDryPlan(
  choices: ShrinkChoices,
  divided: ReadonlyMap<string, DividedTexts>,
  fit: (choices: ShrinkChoices) => Promise<SegmentsEstimate>,
): Promise<SegmentsEstimate> {
  const folder = await makeTemporaryFolder();
  try {
    const texts = textsIn(divided, folder);
    await writeDividedTexts(divided, texts);
    return await fit({ ...choices, texts });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A model that may be made smaller, which is open, and where to. */
export interface OpenSource {
  readonly given: string;
  readonly model: Model;
  readonly source: ShrinkSource;
  readonly output: string;
  /** Closes the model; may be called again. */
  readonly close: () => Promise<void>;
}

/** Opens the model, and refuses at once what can be told without reading texts. */
export async function openSource(given: string, parsed: ShrinkOptions, { progress }: Reporter): Promise<OpenSource> {
  const { size } = parsed;
  const model = await openModel(given, { progress });
  try {
    requireTextLosses(model);
    await requireDense(model);
    const source = await readSource(model, given);
    if (size !== undefined && parseBytes(size, "--size") >= source.bytes) {
      throw new UsageError(`--size ${size} is no less than the model has, ${formatBytes(source.bytes)}; give a smaller one`, {
        option: "--size",
      });
    }
    requireSourceBits(source);
    const output = parsed.output ?? defaultOutput(source.name, parsed);
    await requireOutput(output);
    let isOpen = true;
    const close = async (): Promise<void> => {
      if (isOpen) await model.close();
      isOpen = false;
    };
    return { given, model, source, output, close };
  } catch (error) {
    await model.close();
    throw error;
  }
}

/** What is known before a plan is estimated. */
interface ChosenPlan {
  readonly choices: ShrinkChoices;
  readonly divided: ReadonlyMap<string, DividedTexts>;
  readonly stages: Stages;
  /** What is said of it. */
  readonly plan: string;
}

/** Chooses languages, texts and types. Nothing is written or measured. */
async function choosePlan(
  { given, model, source, output }: OpenSource,
  parsed: ShrinkOptions,
  { progress, warn }: Reporter,
  signal: AbortSignal,
): Promise<ChosenPlan> {
  const { languages: asked, favour = [], onlyLanguages, size, bits, type, to, texts: path, dryRun } = parsed;
  const textSources = await openTexts(path, asked, warn);
  const { languages: offered, files } = textSources.corpus;
  const sources = { offered, files, mixture: source.mixture?.distribution, ofCard: source.languages };
  const languages = chooseLanguages(sources, asked, favour);
  const divided = await divideCorpus({ ...textSources, chat: chatOf(model) }, languages.names, signal);
  const corpus = dividedCorpus(divided, "calibration");
  const leftOut = onlyLanguages ? await shareLeftOut(model, corpus, { signal, progress }) : undefined;
  const target = await planTarget(model, to, {
    bytes: size === undefined ? undefined : parseBytes(size, "--size"),
    bits: bits === undefined ? undefined : (Number(bits) as ShrinkBits),
    typeMix: type,
    leftOut: leftOut ?? 0,
  });
  requireSmaller(source, target);
  const texts = textsIn(divided, textsFolder(output));
  const choices: ShrinkChoices = {
    model: given,
    output,
    target,
    texts,
    languages,
    segments: segmentsFor(languages.tags.length),
    segmentLength: Math.min(segmentLength, model.contextLength ?? Infinity),
    windowLength: Math.min(windowLength, model.contextLength ?? Infinity),
    onlyLanguages,
    shares: source.mixture?.name,
    gate: gateOf(parsed),
  };
  const { windowLength: length } = choices;
  const scored = { corpus: dividedCorpus(divided, "heldOut"), languages: languages.tags };
  const windows = await countWindows(model, scored, { length, limit: leastWindows });
  if ([...windows.values()].every((count) => count === 0)) {
    throw new BadDataError(`the held-out texts have no window of ${length} tokens to score on; give more text with --texts`);
  }
  const plan = planText({
    leftOut,
    source,
    languages,
    texts,
    textsFrom: path ?? "texts that come with mbs",
    windows,
    windowLength: length,
    target,
    recipe: dryRun ? `below; nothing is written: a run writes it, with its texts, as ${recipePath(output)}` : recipePath(output),
  });
  return { choices, divided, stages: await loadStages(), plan };
}

/**
 * Plans all that is run.
 *
 * @param print takes what is known at once, and what an estimate adds to it
 */
export async function planShrink(
  open: OpenSource,
  parsed: ShrinkOptions,
  reporter: Reporter,
  signal: AbortSignal,
  print: (text: string) => Promise<void>,
): Promise<{ readonly choices: ShrinkChoices; readonly stages: Stages; readonly isBegun: boolean }> {
  const { dryRun, within, force } = parsed;
  const { output } = open;
  const { choices: first, divided, stages, plan } = await choosePlan(open, parsed, reporter, signal);
  if (signal.aborted) throw new InterruptedError("shrink: stopped");
  reporter.stop();
  await print(plan);
  if (!dryRun) await writeDividedTexts(divided, first.texts);
  const begun = force || dryRun ? undefined : await begunSegments(output);
  if (begun !== undefined && within !== undefined) {
    reporter.warn(
      `--within is not looked at: the run was begun with ${begun} segments of text; start over with --force for another time`,
    );
  }
  const fit = (planned: ShrinkChoices): Promise<SegmentsEstimate> => fitPlan(planned, parsed, stages, reporter, signal);
  const { segments, estimate: found } =
    begun !== undefined
      ? { segments: begun, estimate: undefined }
      : await (dryRun ? fitDryPlan(first, divided, fit) : fit(first));
  const choices = { ...first, segments };
  const { segmentLength: length } = choices;
  // what the texts allow, where it is known
  const read = found === undefined ? segments : Math.round(found.calibrationTokens / length);
  reporter.stop();
  await print(`${effortText({ segments: read, segmentLength: length, estimate: found, output })}\n`);
  return { choices, stages, isBegun: begun !== undefined };
}
