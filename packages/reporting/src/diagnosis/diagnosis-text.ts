import { colours, noteText, wrapLines } from "../terminal/terminal-text.ts";
import { rules } from "./diagnose.ts";
import type { Diagnosis } from "./diagnose.ts";

/** What was looked for, and how much of it was found. */
export function foundText({ checked, findings }: Diagnosis): string {
  if (checked.length === 0)
    return "Nothing could be checked: the results compare no model with another, or do not say how it was compressed.";
  const what = checked.flatMap((name) => rules.filter(({ signature }) => signature === name)).map(({ looksFor }) => looksFor);
  const found = findings.length === 0 ? "Nothing found that 95% intervals support" : `Found: ${findings.length}`;
  return `Looked for: ${what.join("; ")}. ${found}.`;
}

/** A diagnosis for a terminal of 80 columns; commands stay on one line, to be copied. */
export function diagnosisText(diagnosis: Diagnosis): string {
  const { findings, notes } = diagnosis;
  const blocks = findings.map(({ title, texts, remedy }) =>
    [
      ...wrapLines(title).map((line) => colours.bold(line)),
      ...[...texts, `Remedy: ${remedy.text}`].flatMap((text) => wrapLines(text, "  ")),
      `    ${remedy.command}`,
      "",
    ].join("\n"),
  );
  return [
    `${wrapLines(foundText(diagnosis)).join("\n")}\n`,
    ...blocks,
    ...(notes.length === 0 ? [] : [notes.map((note) => `${noteText(note)}\n`).join("")]),
  ].join("\n");
}
