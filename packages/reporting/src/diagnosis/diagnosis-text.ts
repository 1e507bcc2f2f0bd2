import { colours, noteText, wrapLines } from "../terminal/terminal-text.ts";
import type { Signature } from "./finding.ts";
import type { Diagnosis } from "./diagnose.ts";

const names: Readonly<Record<Signature, string>> = {
  "mix-worse-than-one-language": "a mix worse than one language alone",
  "rare-language-falls": "under-represented languages that still fall",
  "methods-disagree": "methods that disagree",
  "distribution-does-not-fit": "training shares that do not fit the losses",
  "tasks-fall-unseen": "tasks that fall where perplexity does not show it",
};

/** What was looked for, and how much of it was found. */
export function foundText({ checked, findings }: Diagnosis): string {
  if (checked.length === 0)
    return "Nothing could be checked: the results compare no models of which they say how they were compressed.";
  const what = checked.map((signature) => names[signature]).join("; ");
  const found = findings.length === 0 ? "Nothing found that 95% intervals support" : `Found: ${findings.length}`;
  return `Looked for: ${what}. ${found}.`;
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
