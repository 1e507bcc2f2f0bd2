import pc from "picocolors";

/** Colours where a person reads them; a pipe, a file and NO_COLOR get plain text. */
export const colours = pc.createColors(process.stdout.isTTY && !process.env["NO_COLOR"]);
