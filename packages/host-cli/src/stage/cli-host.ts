import { firstOutput } from "@mbs/contracts";
import type { ArtifactStream, OptionTable, ServerPlace, Stage, StageContext, StageInputs, StageOutputs } from "@mbs/contracts";

/** How an artifact of a kind with results (scores, similarity) is shown to people and programs. */
export interface Presenter {
  /** Flags of every command that makes such an artifact; they change the table only. */
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

/** How a folder that was written is shown to people and programs. */
export interface FolderPresenter {
  /** Text for a terminal, with its last line break. */
  text(folder: string): Promise<string>;
  /** The value that `--json` prints. */
  json(folder: string): Promise<unknown>;
}

/** Runs a stage on another machine; same meaning as `stage.run`. */
export type RemoteRunner = (
  place: ServerPlace,
  stage: Stage,
  inputs: StageInputs,
  options: Readonly<Record<string, unknown>>,
  context: StageContext,
) => Promise<StageOutputs>;

/** What the program that uses this host provides. */
export interface CliHost {
  /** "mbs" */
  readonly program: string;
  /** How the stage is called where that is not `program NAME`: "mbs --stage ./mine.js". */
  readonly command?: string;
  /** By artifact kind. */
  readonly presenters: Readonly<Record<string, Presenter>>;
  /** For stages that write a folder; without it nothing is printed. */
  readonly folder?: FolderPresenter;
  /** Behind `--via`; without it the flag is not offered. */
  readonly remote?: RemoteRunner;
}

/** How a stage is called on the command line: "mbs capture". */
export const commandOf = ({ program, command }: CliHost, { name }: Stage): string => command ?? `${program} ${name}`;

/** The presenter of that output; undefined where it has none. */
export function firstPresenter(stage: Stage, { presenters }: CliHost): Presenter | undefined {
  const { kind } = firstOutput(stage);
  return Object.hasOwn(presenters, kind) ? presenters[kind] : undefined;
}
