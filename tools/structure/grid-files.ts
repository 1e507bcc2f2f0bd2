import { hasProperty, hasWord } from "./source-words.ts";
import type { SourceFile } from "./source-files.ts";

/**
 * How the kind of a tensor's grid can be asked for, each with the words for it. `type`, which the issue of grids has too, is no
 * word that can be counted: TypeScript has it in every file.
 */
const choices: readonly (readonly string[])[] = [
  ["bits"],
  ["grid"],
  ["mixture", "typeMix", "type-mix"],
  ["allocation", "assignment"],
  ["embeddings", "embedding", "head"],
];

/** From the command and its recipe to the written folder, but for what holds numbers and artifacts. */
const decidingPackages = new Set(["contracts", "pipeline", "compression", "assembly", "solvers", "mbs", "host-cli"]);

/** From a flag or a recipe to the solver: what is behind it, assembly, is not on this way. */
const packagesToSolver = new Set(["contracts", "pipeline", "compression", "solvers", "mbs", "host-cli"]);

/**
 * Files that know of grids: two or more of the choices are properties there, so that the file decides between them or knows how
 * one follows from another. A file that hands on one of them, whatever it is, has one word alone.
 */
export const gridFiles = (files: readonly SourceFile[]): readonly string[] =>
  files
    .filter(
      ({ packageName, code }) =>
        decidingPackages.has(packageName) && choices.filter((words) => words.some((word) => hasProperty(code, word))).length >= 2,
    )
    .map(({ path }) => path);

/** Files that `bits` passes from a flag or a recipe to the solver: those with the word, in packages on the way. */
export const bitsFiles = (files: readonly SourceFile[]): readonly string[] =>
  files.filter(({ packageName, code }) => packagesToSolver.has(packageName) && hasWord(code, "bits")).map(({ path }) => path);
