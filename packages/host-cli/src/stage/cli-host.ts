import { InternalError } from "@mbs/contracts";
import type { ArtifactStream, OptionTable, Stage, StageContext, StageInputs, StageOutput, StageOutputs } from "@mbs/contracts";

/** How a person and a program see an artifact of a kind that reports (scores, similarity). */
export interface Presenter {
  /** What of the artifact is shown; flags of every command that makes it, which change the table alone. */
  readonly options?: OptionTable;
  /**
   * Text for a terminal, with its last line break.
   *
   * @param options values of its own table, unparsed
   */
  table(stream: ArtifactStream, options: Readonly<Record<string, unknown>>): Promise<string>;
  /** The value that `--json` prints. */
  json(stream: ArtifactStream): Promise<unknown>;
}

/** What is printed about a folder that was written, for a person and for a program. */
export interface FolderPresenter {
  /** Text for a terminal, with its last line break. */
  text(folder: string): Promise<string>;
  /** The value that `--json` prints. */
  json(folder: string): Promise<unknown>;
}

/** Runs a stage on another machine; same meaning as `stage.run`. */
export type RemoteRunner = (
  via: string,
  stage: Stage,
  inputs: StageInputs,
  options: Readonly<Record<string, unknown>>,
  context: StageContext,
) => Promise<StageOutputs>;

/** What the command that uses this host brings along. */
export interface CliHost {
  /** "mbs" */
  readonly program: string;
  /** How the stage is called where that is not `program NAME`: "mbs --stage ./mine.js". */
  readonly command?: string;
  /** By artifact kind. */
  readonly presenters: Readonly<Record<string, Presenter>>;
  /** Of folders; without it nothing is printed of them. */
  readonly folder?: FolderPresenter;
  /** Behind `--via`; without it the flag is not offered. */
  readonly remote?: RemoteRunner;
}

/** How a stage is called on the command line: "mbs capture". */
export const commandOf = ({ program, command }: CliHost, { name }: Stage): string => command ?? `${program} ${name}`;

/** The output that goes to standard output, or to `--output`. */
export function firstOutput({ name, outputs }: Stage): StageOutput {
  const [first] = Object.values(outputs);
  if (first === undefined) throw new InternalError(`stage ${name} declares no output`, { stage: name });
  return first;
}

/** What shows that output. */
export function firstPresenter(stage: Stage, { presenters }: CliHost): Presenter | undefined {
  const { kind } = firstOutput(stage);
  return Object.hasOwn(presenters, kind) ? presenters[kind] : undefined;
}
