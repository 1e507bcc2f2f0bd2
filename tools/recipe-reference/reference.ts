import { optionFlag } from "@mbs/contracts";
import type { Option, OptionTable, Stage } from "@mbs/contracts";
import { solvers } from "@mbs/solvers";
import { optionBounds } from "../../packages/host-cli/src/stage/flags.ts";
import { loadStages } from "../../packages/mbs/src/stages.ts";
import { recipeKeys } from "../../packages/pipeline/src/recipe/recipe-keys.ts";
import type { RecipeKey } from "../../packages/pipeline/src/recipe/recipe-keys.ts";

const keyOf = (name: string): string => optionFlag(name).slice("--".length);

const kinds: Readonly<Record<Option["kind"], string>> = {
  integer: "whole number",
  number: "number",
  flag: "true or false",
  text: "text",
  choice: "",
  list: "list",
  resource: "path",
  code: "name or path",
};

const takes = (option: Option): string => [kinds[option.kind], optionBounds(option)].filter(Boolean).join(", ");

function defaultOf(option: Option, needed: boolean): string {
  if (needed) return "must be given";
  if (option.default !== undefined) return `\`${String(option.default)}\``;
  if (option.optional === true) return "";
  return option.kind === "flag" ? "`false`" : "must be given";
}

const cell = (text: string): string => text.replaceAll("|", "\\|");

/** @param key what the recipe does with the options of its section */
function optionTable(table: OptionTable, { given = [], needs = [], defaults = {} }: Partial<RecipeKey> = {}): string[] {
  const rows = Object.entries(table)
    .filter(([name]) => !given.includes(name))
    .map(
      ([name, option]) =>
        `| \`${keyOf(name)}\` | ${takes(option)} | ${defaults[name] ?? defaultOf(option, needs.includes(name))} | ${cell(option.description)} |`,
    );
  return rows.length === 0 ? [] : ["| option | takes | default | what |", "|---|---|---|---|", ...rows];
}

/** Options that a stage takes for one value of its own: a solver's, a format's or a method's. */
async function furtherOptions(stage: Stage, option: string, value: string, title: string): Promise<string[]> {
  const table = (await stage.moreOptions?.({ [option]: value })) ?? {};
  const rows = optionTable(table);
  return rows.length === 0 ? [] : ["", `${title} \`${value}\`:`, "", ...rows];
}

async function section(name: string, key: RecipeKey): Promise<string[]> {
  const { description, stage: stageName } = key;
  const stage = stageName === undefined ? undefined : (await loadStages()).get(stageName);
  if (stage === undefined) return [];
  const lines = [
    "",
    `## ${name}`,
    "",
    `${description[0]?.toUpperCase()}${description.slice(1)}. \`mbs ${stage.name} --help\` has the same as flags.`,
  ];
  lines.push("", ...optionTable(stage.options, key));
  if (stage.name === "compress") {
    for (const solver of solvers.keys()) lines.push(...(await furtherOptions(stage, "solver", solver, "With solver")));
  }
  for (const name of ["format", "method"]) {
    const option = stage.options[name];
    if (option?.kind !== "choice") continue;
    for (const choice of option.choices) lines.push(...(await furtherOptions(stage, name, choice, `With ${name}`)));
  }
  return lines;
}

/** Every key of a recipe and every option under it, as the code declares them. */
export async function recipeReference(): Promise<string> {
  const keys: readonly (readonly [string, RecipeKey])[] = Object.entries(recipeKeys);
  const rows = keys.map(([name, { takes: value, description, required = false, stage }]) => {
    const title = stage === undefined ? `\`${name}\`` : `[\`${name}\`](#${name})`;
    return `| ${title}${required ? " (must be given)" : ""} | ${value} | ${description} |`;
  });
  const sections = await Promise.all(keys.map(([name, key]) => section(name, key)));
  return [
    "# Recipes",
    "",
    "<!-- Made by tools/recipe-reference from the code; a test holds it to that. Change the declarations, not this page. -->",
    "",
    "A recipe is a YAML file that says all that a run does: `mbs run recipe.yaml`, and before it `mbs estimate recipe.yaml`. `recipes/` has examples. Paths start at the working directory. Options may be spelt as on the command line (`group-size`) or as in the library (`groupSize`); unknown keys, values that a stage would refuse, and a format that cannot hold what the solver makes are refused before anything runs, with their lines, all of them at once. The estimate draws the segments too, and so finds a language with too little text. A run leaves the recipe with every default written out and the hashes of all that went in and came out in `OUTPUT/recipe.yaml`; that file is a recipe again. What follows from the format where it is not given (`symmetric`, `min-zero-point`) is said in the run's first lines. A recipe that differs from an earlier run's only in `evaluate`, or in `assemble` before a model was written (or once it was moved away), goes on from that run's layers, unless the grids follow from the format and would be others. `mbs run --commands` prints each step as the command that replays it.",
    "",
    "| key | takes | what |",
    "|---|---|---|",
    ...rows,
    ...sections.flat(),
    "",
    "## Files that a recipe names",
    "",
    "- **Corpus**: `{ name?, license?, field?, languages: { LANG: FILE or [FILE, …] } }`; files are JSONL, CSV, Parquet or plain text (blank lines between documents), each also as `.gz`, globs allowed. Or a folder of `LANG.jsonl`, `LANG.txt`, …",
    "- **Distribution**: `{ name?, unit: tokens | bytes | segments, source, shares: { LANG: NUMBER } }` as JSON, the name of a preset, or a model's folder with a `distribution.json`.",
    "- **Your own solver**: a path that begins with `./` or `/`, or the name of an installed package ([adding a solver](adding-a-solver.md)).",
    "",
  ].join("\n");
}
