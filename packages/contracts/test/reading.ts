/** Reads files that are not there: path → content, as functions that look at a system take it. */
export const reading =
  (files: Readonly<Record<string, string>>) =>
  (path: string): string | undefined =>
    files[path];
