export { exitCodes, oneLine, toMbsError } from "./process/failure.ts";
export {
  commonFlags,
  deviceOption,
  forbidNetwork,
  memoryOption,
  offlineOption,
  optionsToFlags,
  parseMemory,
  runDeviceOption,
  runThreadsOption,
  runWorkersOption,
  threadsOption,
  withOrderedHelp,
} from "./stage/flags.ts";
export type { CliHost, FolderPresenter, Presenter, RemoteRunner } from "./stage/cli-host.ts";
export { DeviceTotal, findDevice, noteOwnDevice } from "./stage/device.ts";
export { letHeapGrow } from "./process/heap-growth.ts";
export { allArguments } from "./process/parent-process.ts";
export { isLogJson, withoutQuoted, writeLogLine } from "./process/log-line.ts";
export type { LogLine } from "./process/log-line.ts";
export { runProgram } from "./process/program.ts";
export { createReporter, formatAbout, formatSeconds, progressStyle } from "./process/progress.ts";
export type { ProgressStyle, Reporter } from "./process/progress.ts";
export {
  commandOutput,
  openInput,
  printText,
  standardInputName,
  standardOutput,
  standardStream,
} from "./process/standard-streams.ts";
export { stageCommand } from "./stage/stage-command.ts";
