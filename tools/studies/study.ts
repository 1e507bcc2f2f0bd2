import type { Subject } from "./subject.ts";

export interface StudyTable {
  readonly caption: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export interface StudyPlot {
  /** Name of its file. */
  readonly name: string;
  readonly caption: string;
  readonly svg: string;
}

/** What a study has found: everything here follows from the numbers. */
export interface StudyResult {
  /** How the numbers were made. */
  readonly settings: string;
  readonly findings: readonly string[];
  readonly tables: readonly StudyTable[];
  readonly plots: readonly StudyPlot[];
  /** The numbers behind it, for programs. */
  readonly numbers: unknown;
}

export interface StudyContext {
  readonly subjects: readonly Subject[];
  readonly seeds: readonly number[];
  /** Says that a piece of work is done, of so many in all. */
  readonly progress: (done: number, total: number) => void;
}

/** A question, answered by one command. */
export interface Study {
  readonly name: string;
  readonly title: string;
  readonly question: string;
  /** The models that it asks; those of equal size where absent. */
  readonly models?: readonly string[];
  /** Makes and measures everything; what was done is not done again. */
  work(context: StudyContext): Promise<unknown>;
  run(context: StudyContext): Promise<StudyResult>;
}
