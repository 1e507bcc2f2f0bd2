import { isatty } from "node:tty";
import pc from "picocolors";

/** Colours where a person reads them; a pipe, a file and NO_COLOR get plain text, whatever picocolors itself would decide. */
export const colours = pc.createColors(isatty(1) && !process.env["NO_COLOR"]);
