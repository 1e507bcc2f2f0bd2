import { shellWord } from "../run/replay-command.ts";
import type { ExportedPlan, ExportedStep } from "./export-plan.ts";
import { uniqueNames } from "./unique-names.ts";

/** A literal of Python: it reads the escapes of JSON. */
const literal = (text: string): string => JSON.stringify(text);

/** A literal that Snakemake formats before it uses it. */
const formatted = (text: string): string => literal(text.replaceAll(/[{}]/g, (brace) => brace + brace));

const listed = (key: string, values: readonly string[]): string[] =>
  values.length === 0 ? [] : [`    ${key}:`, ...values.map((value) => `        ${value},`)];

/** Outputs that no step waits for: with them all others are asked for. */
const lastOf = (steps: readonly ExportedStep[]): readonly ExportedStep[] => {
  const waitedFor = new Set(steps.flatMap(({ before }) => before));
  return steps.filter(({ id }) => !waitedFor.has(id));
};

/**
 * A Snakefile that runs a plan.
 *
 * @param memory bytes that every step asks for; absent: no step asks for memory
 */
export function snakefile({ folder, output, steps, threads }: ExportedPlan, memory?: number): string {
  const ids = steps.map(({ id }) => id);
  const names = uniqueNames(ids, (id) => `mbs_${id.replaceAll(/\W/g, "_")}`, { longest: 200, separator: "_" });
  const paths = new Map(steps.map(({ id, path }) => [id, path]));
  const inputs = (before: readonly string[]): string[] => before.map((id) => literal(paths.get(id) ?? id));
  const made = ({ path, isFolder, isTemporary }: ExportedStep): string => {
    if (isFolder) return `directory(${literal(path)})`;
    return isTemporary ? `temp(${literal(path)})` : literal(path);
  };
  const rules = steps.map((step) =>
    [
      `rule ${names.get(step.id) ?? step.id}:`,
      ...listed("input", inputs(step.before)),
      ...listed("output", [made(step)]),
      `    threads: ${threads}`,
      ...listed("resources", memory === undefined ? [] : [`mem_mb=${Math.ceil(memory / 1e6)}`]),
      "    shell:",
      `        ${formatted(step.command)}`,
    ].join("\n"),
  );
  return `# Written by mbs run --export snakemake. Run it: snakemake --snakefile THIS_FILE --cores ${threads}
# Files are relative to the working directory, the output folder; commands run where the recipe's paths start.
workdir: ${literal(output)}

shell.prefix(${formatted(`set -euo pipefail; cd ${shellWord(folder)}; `)})

localrules: all

rule all:
${listed("input", inputs(lastOf(steps).map(({ id }) => id))).join("\n")}

${rules.join("\n\n")}
`;
}
