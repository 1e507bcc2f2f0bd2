import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { writeAtomically } from "@mbs/artifacts";
import type { Study, StudyResult, StudyTable } from "./study.ts";

const formatRow = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;

const formatTable = ({ caption, head, rows }: StudyTable): string =>
  [
    `${caption}:`,
    "",
    formatRow(head),
    formatRow(head.map((_, index) => (index === 0 ? "---" : "---:"))),
    ...rows.map(formatRow),
  ].join("\n");

/** The page of a study as Markdown. */
export function formatStudy({ name, title, question }: Study, { settings, findings, tables, plots }: StudyResult): string {
  const parts = [
    `# ${title}`,
    question,
    `Made by \`./scripts/study ${name}\`.`,
    settings,
    "## What was found",
    findings.map((finding) => `- ${finding}`).join("\n"),
    "## Numbers",
    ...tables.map(formatTable),
    ...plots.map((plot) => `![${plot.caption}](${plot.name}.svg)\n\n${plot.caption}. All numbers: [${name}.json](${name}.json).`),
  ];
  return `${parts.join("\n\n")}\n`;
}

/** Writes page, pictures and numbers of a study into a folder, over those of an earlier run. */
export async function writeStudy(study: Study, result: StudyResult, folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  const write = async (name: string, text: string): Promise<string> => {
    const path = join(folder, name);
    await writeAtomically(path, [Buffer.from(text)], { force: true });
    return path;
  };
  for (const { name, svg } of result.plots) await write(`${name}.svg`, `${svg}\n`);
  await write(`${study.name}.json`, `${JSON.stringify(result.numbers)}\n`);
  return write(`${study.name}.md`, formatStudy(study, result));
}
