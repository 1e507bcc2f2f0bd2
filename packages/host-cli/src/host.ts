import type { ArtifactStream, OptionTable, Stage, StageContext, StageInputs, StageOutputs } from "@mbs/contracts";

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

/** What a person and a program are told of a folder that was written. */
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
  /** By artifact kind. */
  readonly presenters: Readonly<Record<string, Presenter>>;
  /** Of folders; without it nothing is printed of them. */
  readonly folder?: FolderPresenter;
  /** Behind `--via`; without it the flag is not offered. */
  readonly remote?: RemoteRunner;
}

/** What shows the output that goes to standard output. */
export const firstPresenter = (stage: Stage, host: CliHost): Presenter | undefined =>
  Object.hasOwn(host.presenters, firstKind(stage)) ? host.presenters[firstKind(stage)] : undefined;

/** Kind of the output that goes to standard output. */
export const firstKind = (stage: Stage): string => Object.values(stage.outputs)[0]?.kind ?? "";
