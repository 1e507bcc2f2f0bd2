import { colours } from "../colours.ts";
import type { Diagnosis } from "./diagnose.ts";

const columns = 80;

/** Lines of at most 80 columns, indented. */
function wrap(text: string, indent: string): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? `${indent}${word}` : `${line} ${word}`;
    if (longer.length > columns && line !== "") {
      lines.push(line);
      line = `${indent}${word}`;
    } else {
      line = longer;
    }
  }
  return [...lines, line].join("\n");
}

/** What is said where no signature shows. */
export const nothingFound = "None of the paper's failure signatures shows: nothing that 95% intervals bear out.";

/** A diagnosis for a terminal of 80 columns; commands stay on one line, to be copied. */
export function diagnosisText({ findings, notes }: Diagnosis): string {
  const blocks = findings.map(({ title, texts, remedy }) =>
    [
      colours.bold(wrap(title, "")),
      ...texts.map((text) => wrap(text, "  ")),
      wrap(`Remedy: ${remedy.text}`, "  "),
      `    ${remedy.command}`,
      "",
    ].join("\n"),
  );
  const found = blocks.length === 0 ? [`${nothingFound}\n`] : blocks;
  return [...found, ...notes.map((note) => `${colours.yellow("note:")} ${note}\n`)].join("\n");
}
