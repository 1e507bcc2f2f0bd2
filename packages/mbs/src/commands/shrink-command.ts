import { readdir, rm } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { makeFolder, makeTemporaryFolder, withLock } from "@mbs/artifacts";
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
import type { OptionTable, StageContext } from "@mbs/contracts";
import { isDatasetName, openCorpus } from "@mbs/corpora";
import type { Corpus } from "@mbs/corpora";
import { checkGate, countWindows, gateOptions, leastWindows, parseGate } from "@mbs/evaluation";
import { roundsNothing, typeMixes } from "@mbs/gguf";
import {
  createReporter,
  DeviceTotal,
  forbidNetwork,
  memoryOption,
  offlineOption,
  optionsToFlags,
  parseMemory,
  printText,
  progressStyle,
  runDeviceOption,
  runThreadsOption,
} from "@mbs/host-cli";
import type { Reporter } from "@mbs/host-cli";
import { chatOf, openModel, requireDense } from "@mbs/models";
import type { Model } from "@mbs/models";
import { estimate, parseRecipe } from "@mbs/pipeline";
import type { Estimate, Stages } from "@mbs/pipeline";
import { reportVocabulary, trimmingOptions } from "@mbs/trimming";
import { Argument } from "commander";
import type { Command } from "commander";
import { writeRunCard } from "../results/card-writer.ts";
import { gateText, requireLimits } from "../results/gate-result.ts";
import { fewestSegments, segmentLength, segmentsFor, shrinkFormats, windowLength } from "../shrink/defaults.ts";
import type { ShrinkBits } from "../shrink/defaults.ts";
import { parseDuration } from "../shrink/duration.ts";
import { fitSegments } from "../shrink/fit-segments.ts";
import type { SegmentsEstimate } from "../shrink/fit-segments.ts";
import { chooseLanguages } from "../shrink/languages.ts";
import { effortText, planText } from "../shrink/plan-text.ts";
import { comparisonText, resultText } from "../shrink/result-text.ts";
import { runShrink, runUsual } from "../shrink/run-shrink.ts";
import {
  begunSegments,
  ownNames,
  recipePath,
  reportPath,
  shrinkRecipe,
  textsFolder,
  usualRecipe,
} from "../shrink/shrink-recipe.ts";
import type { ShrinkChoices } from "../shrink/shrink-recipe.ts";
import { readSource, requireSmaller, requireSourceBits, requireTextLosses } from "../shrink/shrink-source.ts";
import type { ShrinkSource } from "../shrink/shrink-source.ts";
import { planTarget } from "../shrink/target.ts";
import { dividedCorpus, divideCorpus, textsIn, writeDividedTexts } from "../shrink/texts.ts";
import type { DividedTexts, TextSources } from "../shrink/texts.ts";
import { loadStages } from "../stages.ts";
import { plainCommand } from "./plain-command.ts";
import type { CommandContext } from "./plain-command.ts";
import { workerProgram } from "./worker-command.ts";

const limits = { maxWorstRise: gateOptions.maxWorstRise, maxKl: gateOptions.maxKl, by: gateOptions.by } as const;

const options = {
  languages: {
    kind: "list",
    optional: true,
    placeholder: "LANG,…",
    description:
      "languages to protect, such as hi,en,km; the others stay in the model; without it those of the model's known training mixture, at most 16",
  },
  favour: { kind: "list", optional: true, placeholder: "LANG,…", description: "languages among them that count double" },
  onlyLanguages: { kind: "flag", description: "leave out the tokens of all other languages, often the largest part of a model" },
  size: {
    kind: "text",
    placeholder: "SIZE",
    optional: true,
    check: (text: string) => parseBytes(text, "--size"),
    excludes: ["bits", "type"],
    description: "size of the file at most, such as 160MB",
  },
  bits: {
    kind: "choice",
    choices: ["4", "3", "2"],
    optional: true,
    excludes: ["size", "type"],
    description: "bits of a weight, by name: the plan has the true ones; default: 4",
  },
  type: {
    kind: "choice",
    choices: [...typeMixes.keys()].filter((name) => !roundsNothing(name)),
    optional: true,
    excludes: ["size", "bits"],
    description: "type mix of GGUF, as llama-quantize calls it",
  },
  to: { kind: "choice", choices: shrinkFormats, default: "gguf", description: "what is written" },
  texts: {
    kind: "resource",
    resource: "corpus",
    optional: true,
    description:
      "texts by language: a folder of files such as hi.txt, a YAML manifest, or hf:datasets/…; a part is kept to score on; without it texts that come with this program, in 460 languages",
  },
  within: {
    kind: "text",
    placeholder: "TIME",
    optional: true,
    check: parseDuration,
    description: "time that it may take, such as 20m or 2h: fewer texts are read where it would take longer",
  },
  ...limits,
  output: { kind: "text", optional: true, placeholder: "FOLDER", description: "folder of all results; default: NAME-TARGET" },
  dryRun: { kind: "flag", description: "show the plan and print the recipe; run nothing, and write nothing" },
  threads: runThreadsOption,
  device: runDeviceOption,
  memory: memoryOption,
  force: { kind: "flag", description: "start over, replacing what an earlier run with other options has left" },
  json: { kind: "flag", description: "print scores and sizes as JSON" },
  offline: offlineOption,
} as const satisfies OptionTable;

type Options = ReturnType<typeof parseOptions<typeof options>>;

/** Limits as a recipe has them; undefined without any. */
function gateOf({ maxWorstRise, maxKl, by }: Options): Readonly<Record<string, unknown>> | undefined {
  if (maxWorstRise === undefined && maxKl === undefined) return undefined;
  return Object.fromEntries(Object.entries({ maxWorstRise, maxKl, by }).filter(([, value]) => value !== undefined));
}

const defaultOutput = (name: string, { size, bits, type, to }: Options): string =>
  `${name}-${[...(to === "gguf" ? [] : [to]), size ?? type ?? `${bits ?? "4"}bit`].join("-")}`;

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
  { within, size, threads, device, memory: limit }: Options,
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
interface OpenSource {
  readonly given: string;
  readonly model: Model;
  readonly source: ShrinkSource;
  readonly output: string;
  /** Closes the model; may be called again. */
  readonly close: () => Promise<void>;
}

/** Opens the model, and refuses at once what can be told without reading texts. */
async function openSource(given: string, parsed: Options, { progress }: Reporter): Promise<OpenSource> {
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
  parsed: Options,
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
async function planShrink(
  open: OpenSource,
  parsed: Options,
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

/** Warns where a result is larger than was asked for. */
function warnOfSize(bytes: number, { size, to }: Options, warn: (line: string) => void): void {
  if (size === undefined || bytes <= parseBytes(size, "--size")) return;
  warn(`the result, ${formatBytes(bytes)}, is larger than --size ${size}: sizes of ${to} are estimates; give a smaller one`);
}

/** `mbs shrink`: a model, languages and a size to a model of that size. */
export function shrinkCommand({ signal }: CommandContext): Command {
  const command = plainCommand("shrink", "Make a model smaller, and protect some of its languages. Run it again to resume.", [
    "mbs shrink hf:google/gemma-3-270m --languages hi,en,km --bits 3",
    "mbs shrink gemma.gguf --languages hi,en,km --size 160MB",
    "mbs shrink hf:Qwen/Qwen3-0.6B --languages hi,bn --favour bn --texts texts/ --to gptq",
    "mbs shrink models/llama --languages de,fr --only-languages --texts texts/ --dry-run",
  ]).addArgument(new Argument("<model>", "a folder, a GGUF file, an ONNX folder, or hf:org/name"));
  for (const flag of optionsToFlags(options)) command.addOption(flag);
  return command.action(async (given: string) => {
    const { quiet = false, debug: _debug, ...raw } = command.opts<{ quiet?: boolean; debug?: boolean }>();
    const parsed = parseOptions(options, raw, "shrink");
    const { offline, dryRun, json, force, threads, device, memory, to } = parsed;
    if (offline) forbidNetwork();
    const reporter = createReporter("mbs shrink", progressStyle(quiet));
    const { progress, warn, note } = reporter;
    try {
      const open = await openSource(given, parsed, reporter);
      if (!dryRun) await makeFolder(dirname(open.output)).catch(() => undefined);
      const shrink = async (): Promise<void> => {
        const print = async (text: string): Promise<void> => {
          if (dryRun && !quiet) process.stderr.write(text);
          if (!dryRun && !json && !quiet) await printText(text);
        };
        const { choices, stages, isBegun } = await planShrink(open, parsed, reporter, signal, print)
          .catch((error: unknown) => {
            if (!signal.aborted) throw error;
            throw new InterruptedError("stopped while planning; run the same command again", { done: 0 });
          })
          .finally(open.close);
        if (dryRun) {
          await printText(shrinkRecipe(choices));
          return;
        }
        const deviceTotal = new DeviceTotal();
        const { fallbacks } = choices.target;
        // the plan has said it
        const said = new Set(fallbacks === undefined ? [] : [fallbacks, `assemble: ${fallbacks}`]);
        const runOptions = {
          stages,
          threads,
          device,
          memory: memory === undefined ? undefined : parseMemory(memory),
          workers: { command: workerProgram(offline), count: undefined, nodeLimit: undefined },
          queue: undefined,
          signal,
          force,
          progress,
          onDevice: deviceTotal.add,
          // both runs warn of the same things
          warn: (line: string) => {
            if (!said.has(line)) warn(line);
            said.add(line);
          },
          describe: ({ model, ...made }: { model: string; scores: string | undefined; recipe: string }) =>
            writeRunCard(model, made, note),
        };
        const planned = { choices, source: open.source, vocabulary: open.model.vocabularySize, isBegun };
        const shrunk = await runShrink(planned, runOptions);
        reporter.stop();
        warnOfSize(shrunk.bytes, parsed, warn);
        const facts = {
          model: shrunk.model,
          report: reportPath(open.output),
          before: open.source.bytes,
          after: shrunk.bytes,
        };
        if (quiet && !json) await printText(`${shrunk.model}\n`);
        if (!quiet && !json) {
          const { favoured } = choices.languages;
          const { vocabulary } = planned;
          await printText(resultText({ ...facts, source: open.source, scores: shrunk.scores, favoured, vocabulary, format: to }));
        }
        const checks = choices.gate === undefined ? [] : checkGate(shrunk.scores, parseGate(choices.gate, "gate"));
        if (choices.gate !== undefined && !json) await printText(gateText(checks));
        const { bytes, scores } = await runUsual(planned, shrunk, {
          ...runOptions,
          progress: (of) => progress({ ...of, activity: `for comparison: ${of.activity}` }),
        });
        deviceTotal.note(note);
        reporter.stop();
        const usual = { name: choices.target.usual.name, bytes };
        if (json) await printText(`${JSON.stringify({ ...facts, usual, scores }, null, 2)}\n`);
        else if (!quiet) await printText(`\n${comparisonText(scores, shrunk.bytes, usual)}`);
        requireLimits(checks);
      };
      // from here on, so that a second one does not wait for its plan to hear of the first
      await (dryRun ? shrink() : withLock(open.output, shrink)).finally(open.close);
    } finally {
      reporter.stop();
    }
  });
}
