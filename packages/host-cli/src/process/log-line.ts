/** One line of a structured log; what is undefined is left out. */
export interface LogLine {
  readonly level: "info" | "warn" | "error";
  /** What happened: "stage-finished". */
  readonly event: string;
  /** Words for people. */
  readonly message?: string;
  readonly [fact: string]: string | number | undefined;
}

/** The flags that ask for a structured log, for what is written before or after options are read. */
export const isLogJson = (argv: readonly string[]): boolean =>
  argv.some((word, index) => word === "--log=json" || (word === "--log" && argv[index + 1] === "json"));

/**
 * A message without what it quotes, from the first quotation mark to the end of the last quotation: that may be a text of the user,
 * also in a quotation that was cut.
 */
export const withoutQuoted = (message: string): string => message.replace(/".*(?:"|… \(\d+ characters\))|".*$/su, '"…"');

/** @param command "mbs serve" */
export function logText(command: string, { message, ...line }: LogLine): string {
  const words = message === undefined ? {} : { message: withoutQuoted(message) };
  return `${JSON.stringify({ time: new Date().toISOString(), command, ...line, ...words })}\n`;
}

/** Writes a line to standard error. */
export const writeLogLine = (command: string, line: LogLine): void => void process.stderr.write(logText(command, line));
