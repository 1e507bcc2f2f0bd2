export { exitCodes, oneLine, toMbsError } from "./failure.ts";
export { optionsToFlags } from "./flags.ts";
export type { CliHost, FolderPresenter, Presenter, RemoteRunner } from "./host.ts";
export { runProgram } from "./program.ts";
export { createReporter, formatSeconds, progressStyle } from "./progress.ts";
export type { ProgressStyle, Reporter } from "./progress.ts";
export { printText, readStandardInput, standardStream } from "./standard-streams.ts";
export { stageCommand } from "./stage-command.ts";
export { threadsOption } from "./threads-option.ts";
