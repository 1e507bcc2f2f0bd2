import { basename, join } from "node:path";
import { UsageError, parseOptions } from "@mbs/contracts";
import type { OptionTable } from "@mbs/contracts";
import { optionsToFlags, printText, standardStream } from "@mbs/host-cli";
import { buildReport, csvFiles, formatPage, parseSite, svgFiles } from "@mbs/reporting";
import type { RecipeText } from "@mbs/reporting";
import { Argument } from "commander";
import type { Command } from "commander";
import { openInputs } from "./open-inputs.ts";
import { plainCommand } from "./plain-command.ts";
import type { CommandContext } from "./plain-command.ts";
import { similarityOptions } from "../results/presenters.ts";
import { requireTargets, writeTarget } from "./target-files.ts";

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
  force: { kind: "flag", description: "replace existing outputs" },
} as const satisfies OptionTable;

async function recipeAt(path: string): Promise<RecipeText> {
  // A report without a recipe needs nothing of the pipeline.
  const { readRecipeText } = await import("@mbs/pipeline");
  return { name: basename(path), text: await readRecipeText(path) };
}

/** `mbs report`: one HTML page that needs nothing else. */
export function reportCommand({ signal }: CommandContext): Command {
  const command = plainCommand(
    "report",
    "Write results as one HTML page: who gains and who loses, what went wrong, plots with the numbers behind them.",
    [
      "mbs report scores.arrow similarity.arrow damage.arrow --output report.html",
      "mbs report out/scores.arrow out/similarity.arrow --recipe out/recipe.yaml --output report.html",
      "mbs report scores.arrow --svg plots/ --csv numbers/",
      "mbs report similarity.arrow --at mean --measure gram --output similarity.html",
    ],
  ).addArgument(
    new Argument(
      "<files...>",
      "scores, similarity, damage, mixes, segments, statistics, or folders of runs for their scores, in the order of the page; - is standard input",
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
    const read = [...files.filter((path) => path !== standardStream), ...(recipe === undefined ? [] : [recipe])];
    // Once before anything is read, and again with the names that depend on it.
    if (file !== undefined) await requireTargets([file], read, force);
    const site = at === undefined ? undefined : parseSite(at);
    // Without either flag the page shows more than one.
    const chosen = site !== undefined || given["measure"] !== undefined;
    const report = await buildReport(await openInputs(files, signal), {
      ...(title !== undefined && { title }),
      ...(reference !== undefined && { reference }),
      ...(recipe !== undefined && { recipe: await recipeAt(recipe) }),
      ...(chosen && { similarity: { measure, ...(site && { at: site }) } }),
    });
    const targets = [
      { folder: svg, made: svgFiles },
      { folder: csv, made: csvFiles },
    ].flatMap(({ folder, made }) =>
      folder === undefined ? [] : made(report.sections).map(({ name, content }) => ({ path: join(folder, name), content })),
    );
    if (file !== undefined) targets.push({ path: file, content: formatPage(report) });
    await requireTargets(
      targets.map(({ path }) => path),
      read,
      force,
    );
    for (const { path, content } of targets) await writeTarget(path, content, force);
    if (page === standardStream) await printText(formatPage(report));
  });
}
