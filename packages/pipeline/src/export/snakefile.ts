import { shellWord } from "../run/replay-command.ts";
import type { ExportedPlan, ExportedNode } from "./export-plan.ts";
import { uniqueNames } from "./unique-names.ts";

/** A literal of Python: it reads the escapes of JSON. */
const literal = (text: string): string => JSON.stringify(text);

/** A literal that Snakemake formats before it uses it. */
const formatted = (text: string): string => literal(text.replaceAll(/[{}]/g, (brace) => brace + brace));

const listed = (key: string, values: readonly string[]): string[] =>
  values.length === 0 ? [] : [`    ${key}:`, ...values.map((value) => `        ${value},`)];

/** Outputs that no node waits for: with them all others are asked for. */
const lastOf = (nodes: readonly ExportedNode[]): readonly ExportedNode[] => {
  const waitedFor = new Set(nodes.flatMap(({ before }) => before));
  return nodes.filter(({ id }) => !waitedFor.has(id));
};

/**
 * A Snakefile that runs a plan.
 *
 * @param memory bytes that every node asks for; absent: no node asks for memory
 */
export function snakefile({ folder, output, nodes, threads }: ExportedPlan, memory?: number): string {
  const ids = nodes.map(({ id }) => id);
  const names = uniqueNames(ids, (id) => `mbs_${id.replaceAll(/\W/g, "_")}`, { longest: 200, separator: "_" });
  const paths = new Map(nodes.map(({ id, path }) => [id, path]));
  const inputs = (before: readonly string[]): string[] => before.map((id) => literal(paths.get(id) ?? id));
  const made = ({ path, isFolder, isTemporary }: ExportedNode): string => {
    if (isFolder) return `directory(${literal(path)})`;
    return isTemporary ? `temp(${literal(path)})` : literal(path);
  };
  const rules = nodes.map((node) =>
    [
      `rule ${names.get(node.id) ?? node.id}:`,
      ...listed("input", inputs(node.before)),
      ...listed("output", [made(node)]),
      `    threads: ${threads}`,
      ...listed("resources", memory === undefined ? [] : [`mem_mb=${Math.ceil(memory / 1e6)}`]),
      "    shell:",
      `        ${formatted(node.command)}`,
    ].join("\n"),
  );
  return `# Written by mbs run --export snakemake. Run it: snakemake --snakefile THIS_FILE --cores ${threads}
# Files are relative to the working directory, the output folder; commands run where the recipe's paths start.
workdir: ${literal(output)}

shell.prefix(${formatted(`set -euo pipefail; cd ${shellWord(folder)}; `)})

localrules: all

rule all:
${listed("input", inputs(lastOf(nodes).map(({ id }) => id))).join("\n")}

${rules.join("\n\n")}
`;
}
