/**
 * Standard error of a command without its lines of progress. One comes every five seconds, so that a command on a loaded machine
 * has some where it has none elsewhere.
 */
export const withoutProgress = (stderr: string): string =>
  stderr.replaceAll(
    /^(?:mbs|fake)(?: [a-z-]+)+: (?!warning: )[^\n]+, \d+(?: of \d+)? [a-z][a-z ]*(?:, (?:at least )?(?:\d+ (?:h|min|s) )+left)?\n/gm,
    "",
  );
