import { fileURLToPath } from "node:url";

/** The path of a program of programs/, which is started as a process of its own. */
export const program = (name: string): string => fileURLToPath(new URL(`programs/${name}`, import.meta.url));

/** The node that a line of a worker says it has finished; undefined where it says something else. */
export const doneNode = (line: string): string | undefined => /^(\S+ [0-9a-f]{12}): done in/.exec(line)?.[1];
