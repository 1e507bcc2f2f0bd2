import pc from "picocolors";

/** Colours where a person reads them; a pipe, a file and NO_COLOR get plain text. */
export const colours = pc.createColors(
  // Off a terminal isTTY is undefined, and picocolors would then decide by itself.
  Boolean(process.stdout.isTTY) && !process.env["NO_COLOR"],
);
