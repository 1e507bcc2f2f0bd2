import { colours } from "./colours.ts";
import { wrapLines } from "./wrap-lines.ts";

/** A note for a terminal of 80 columns. */
export const noteText = (note: string): string =>
  wrapLines(note, "note: ", "  ").join("\n").replace("note:", colours.yellow("note:"));
