import { isatty } from "node:tty";
import pc from "picocolors";

/** Colours where a person reads them; a pipe, a file and NO_COLOR get plain text, whatever picocolors itself would decide. */
export const colours = pc.createColors(isatty(1) && !process.env["NO_COLOR"]);

const columns = 80;

/**
 * Lines of at most 80 columns; a word that is longer has a line of its own.
 *
 * @param first what the first line begins with
 * @param later what the others begin with
 */
export function wrapLines(text: string, first = "", later = first): string[] {
  const lines: string[] = [];
  let line = first;
  let empty = true;
  for (const word of text.split(" ")) {
    const longer = empty ? `${line}${word}` : `${line} ${word}`;
    if (longer.length > columns && !empty) {
      lines.push(line);
      line = `${later}${word}`;
    } else {
      line = longer;
    }
    empty = false;
  }
  return [...lines, line];
}

/** A note for a terminal of 80 columns. */
export const noteText = (note: string): string =>
  wrapLines(note, "note: ", "  ").join("\n").replace("note:", colours.yellow("note:"));

const eighths = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/**
 * A bar of block characters for a rise of perplexity, padded to its width. Its scale is the same everywhere, so that bars of two
 * tables compare: it is full where perplexity is twice as high.
 *
 * @param rise as a share, 1 for twice as high; less than 0, and NaN, have no bar
 * @param width in columns; the last one is kept for the mark of what lies beyond
 */
export function riseBar(rise: number, width: number): string {
  const units = Math.round(Math.min(1, Math.max(0, Number.isNaN(rise) ? 0 : rise)) * (width - 1) * 8);
  return `${"█".repeat(Math.floor(units / 8))}${eighths[units % 8]}${rise > 1 ? "›" : ""}`.padEnd(width);
}

/** What the bars of `riseBar` are. */
export const riseBarText = "bars: full at +100%, › beyond";
