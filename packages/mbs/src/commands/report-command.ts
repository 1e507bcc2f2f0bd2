import { mkdir, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { requireForeign, writeAtomically } from "@mbs/artifacts";
import { DeniedError, UsageError, parseOptions } from "@mbs/contracts";
import type { OptionTable } from "@mbs/contracts";
import { optionsToFlags, printText, standardStream } from "@mbs/host-cli";
import { buildReport, csvFiles, formatPage, parsePlace, svgFiles } from "@mbs/reporting";
import type { RecipeText, SectionFile } from "@mbs/reporting";
import { Argument } from "commander";
import type { Command } from "commander";
import type { CommandContext } from "../command-entry.ts";
import { openInputs } from "../open-inputs.ts";
import { plainCommand } from "../plain-command.ts";
import { similarityOptions } from "../similarity-options.ts";

const options = {
  output: {
    kind: "text",
    placeholder: "FILE",
    description: "the page (standard output; with --svg or --csv none)",
    optional: true,
  },
  svg: { kind: "text", placeholder: "FOLDER", description: "also write each plot as SVG", optional: true },
  csv: { kind: "text", placeholder: "FOLDER", description: "also write the numbers of each section as CSV", optional: true },
  title: { kind: "text", description: "title of the page", optional: true },
  recipe: {
    kind: "text",
    placeholder: "FILE",
    description: "recipe to show: the one that `mbs run` wrote beside its results has all hashes",
    optional: true,
  },
  reference: { kind: "text", optional: true, placeholder: "LABEL", description: "the dense model in the scores (the first)" },
  ...similarityOptions,
  force: { kind: "flag", description: "replace what is at the outputs' places" },
} as const satisfies OptionTable;

const exists = async (path: string): Promise<boolean> => (await stat(path).catch(() => undefined)) !== undefined;

async function recipeAt(path: string): Promise<RecipeText> {
  // A report without a recipe needs nothing of the pipeline.
  const { readRecipeText } = await import("@mbs/pipeline");
  return { name: basename(path), text: await readRecipeText(path) };
}

/** Files and where they go, checked before anything is written. */
async function requireFree(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    if (await exists(path)) {
      throw new DeniedError(`${path} exists; choose another name, or replace it with --force`, { path });
    }
  }
}

/** @throws {UsageError} where the page would have the place of a picture or of numbers */
function requireDistinct(paths: readonly string[]): void {
  const places = paths.map((path) => resolve(path));
  const twice = paths.find((_, index) => places.indexOf(places[index]) !== index);
  if (twice !== undefined) {
    throw new UsageError(`${twice} would be written twice, as page and as plots or numbers; choose another --output`, {
      path: twice,
    });
  }
}

async function writeFiles(folder: string, files: readonly SectionFile[], force: boolean): Promise<void> {
  await mkdir(folder, { recursive: true }).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== "EEXIST" && cause.code !== "ENOTDIR") throw cause;
    throw new DeniedError(`${folder} is a file, or lies in one; choose another folder`, { path: folder }, { cause });
  });
  for (const { name, content } of files) await writeAtomically(join(folder, name), [Buffer.from(content)], { force });
}

/** `mbs report`: one HTML page that needs nothing else. */
export function reportCommand({ signal }: CommandContext): Command {
  const command = plainCommand(
    "report",
    "Write results as one HTML page: who gains and who loses, what went wrong, plots with the numbers behind them.",
    [
      "mbs report scores.arrow similarity.arrow errors.arrow --output report.html",
      "mbs report out/scores.arrow out/similarity.arrow --recipe out/recipe.yaml --output report.html",
      "mbs report scores.arrow --svg plots/ --csv numbers/",
      "mbs report similarity.arrow --at mean --measure gram --output similarity.html",
    ],
  ).addArgument(
    new Argument(
      "<files...>",
      "scores, similarity, errors, mixes, segments, statistics, in the order of the page; - is standard input",
    ),
  );
  for (const flag of optionsToFlags(options)) command.addOption(flag);
  return command.action(async (files: readonly string[]) => {
    const { quiet: _quiet, debug: _debug, ...given } = command.opts<Record<string, unknown>>();
    const { output, svg, csv, title, recipe, reference, force, at, measure } = parseOptions(options, given, "report");
    const page = output ?? (svg === undefined && csv === undefined ? standardStream : undefined);
    if (page === standardStream && process.stdout.isTTY) {
      throw new UsageError("standard output is a terminal; give --output report.html");
    }
    const file = page === standardStream ? undefined : page;
    if (!force && file !== undefined) await requireFree([file]);
    const place = at === undefined ? undefined : parsePlace(at);
    // Without either flag the page shows more than one.
    const chosen = place !== undefined || given["measure"] !== undefined;
    const report = await buildReport(await openInputs(files, signal), {
      ...(title !== undefined && { title }),
      ...(reference !== undefined && { reference }),
      ...(recipe !== undefined && { recipe: await recipeAt(recipe) }),
      ...(chosen && { similarity: { measure, ...(place && { place }) } }),
    });
    const folders = [
      { folder: svg, made: svgFiles },
      { folder: csv, made: csvFiles },
    ].flatMap(({ folder, made }) => (folder === undefined ? [] : [{ folder, files: made(report.sections) }]));
    const inFolders = folders.flatMap((one) => one.files.map(({ name }) => join(one.folder, name)));
    const outputs = [...inFolders, ...(file === undefined ? [] : [file])];
    const read = [...files.filter((name) => name !== standardStream), ...(recipe === undefined ? [] : [recipe])];
    await requireForeign(outputs, read);
    requireDistinct(outputs);
    if (!force) await requireFree(outputs);
    for (const one of folders) await writeFiles(one.folder, one.files, force);
    if (page === standardStream) await printText(formatPage(report));
    if (file !== undefined) await writeAtomically(file, [Buffer.from(formatPage(report))], { force });
  });
}
