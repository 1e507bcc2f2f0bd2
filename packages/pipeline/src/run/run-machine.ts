import { randomBytes } from "node:crypto";
import { writeAtomically } from "@mbs/artifacts";
import { BadDataError, DeniedError, deviceChoices, isObject, mostThreads } from "@mbs/contracts";
import type { Device } from "@mbs/contracts";
import { exists, readRecord } from "./file-state.ts";
import type { RunFolder } from "./run-folder.ts";

/** What a run chose for the machine that it began on. */
export interface RunMachine {
  /** Of each worker. Results depend on it. */
  readonly threads: number;
  /** What runs models. Results depend on it. Absent: the processor. */
  readonly device?: Device;
  /** How many run nodes at the same time, 1 where the process of the run does; no result depends on it. */
  readonly workers: number;
  /** The class of the processors that run its nodes, where these are workers of a queue. Results depend on it. */
  readonly processors?: string;
  /** What the run is called in a store that it shares with others. */
  readonly name?: string;
}

const isNumber = (value: unknown): value is number =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 1 && value <= mostThreads;

const isDeviceOrNone = (value: unknown): value is Device | undefined =>
  value === undefined || (value !== "auto" && deviceChoices.some((device) => device === value));

const isTextOrNone = (value: unknown): value is string | undefined => value === undefined || typeof value === "string";

/**
 * What a run began with; undefined where nothing is recorded.
 *
 * @throws {BadDataError} where it is damaged
 */
export async function readMachine({ machine: path }: RunFolder): Promise<RunMachine | undefined> {
  if (!(await exists(path))) return undefined;
  const value = await readRecord(path);
  const { threads, workers = 1, device, processors, name } = isObject(value) ? value : {};
  if (isNumber(threads) && isNumber(workers) && isDeviceOrNone(device) && isTextOrNone(processors) && isTextOrNone(name)) {
    return {
      threads,
      workers,
      ...(device && { device }),
      ...(processors !== undefined && { processors }),
      ...(name !== undefined && { name }),
    };
  }
  throw new BadDataError(
    `${path} is damaged, or was not written by a run; move it away to take the threads of this machine, or start over with --force`,
    { path },
  );
}

/** What this machine would choose: a worker for each shard, as far as there are processors, which they share. */
export function chooseMachine(processors: number, shards: number, workers = Math.min(shards, processors)): RunMachine {
  return { workers, threads: Math.max(1, Math.floor(processors / workers)) };
}

/** @throws {DeniedError} where a run began on processors of another class than those that it is to go on with */
function requireProcessors(root: string, { processors: known }: RunMachine, given: string | undefined): void {
  if (known === given || (given === undefined && known === "mixed")) return;
  const began = known === undefined ? "on one machine, and not on a queue" : `on processors of class ${known}`;
  // nodes that stay at home run on the processor there, and no others of the run here
  const remedy = known?.endsWith("-webgpu")
    ? `give --engine queue and --class ${known}`
    : known === undefined
      ? "run it without --engine queue"
      : `give --engine queue and --class ${known}, or go on on a machine of that class`;
  throw new DeniedError(
    `${root} holds a run that began ${began}; elsewhere everything would be made again, since results may differ in the last bits. To resume, ${remedy}; or choose another output, or start over with --force`,
    { path: root },
  );
}

/**
 * The threads and workers that a run in a claimed folder has to take, and a record of them for those who resume it: with another
 * number of threads every node would count as new.
 *
 * @param given what was asked for
 * @param chosen what this machine would choose
 * @throws {DeniedError} where the run began with another number of threads than the one given, on another device, or on other processors
 */
export async function recordMachine(
  folder: RunFolder,
  given: { readonly [Name in "threads" | "workers" | "device" | "processors"]?: RunMachine[Name] | undefined },
  chosen: RunMachine,
): Promise<RunMachine> {
  const { root, machine } = folder;
  const known = await readMachine(folder);
  if (known !== undefined && given.threads !== undefined && given.threads !== known.threads) {
    throw new DeniedError(
      `${root} holds a run that began with --threads ${known.threads}; with ${given.threads} everything would be made again, since results may differ in the last bits. Give ${known.threads} or leave --threads out to resume, choose another output, or start over with --force`,
      { path: root, known: known.threads, given: given.threads },
    );
  }
  const began = known?.device ?? "cpu";
  if (known !== undefined && given.device !== undefined && given.device !== began) {
    throw new DeniedError(
      `${root} holds a run that began with --device ${began}; with ${given.device} everything would be made again, since results differ in the last bits. Give ${began} or leave --device out to resume, choose another output, or start over with --force`,
      { path: root, known: began, given: given.device },
    );
  }
  const device = given.device ?? known?.device ?? "cpu";
  if (known !== undefined) requireProcessors(root, known, given.processors);
  const processors = known?.processors ?? given.processors;
  const recorded: RunMachine = {
    threads: given.threads ?? known?.threads ?? chosen.threads,
    workers: given.workers ?? known?.workers ?? chosen.workers,
    ...(device !== "cpu" && { device }),
    ...(processors !== undefined && { processors, name: known?.name ?? `run-${randomBytes(8).toString("hex")}` }),
  };
  if (JSON.stringify(known) !== JSON.stringify(recorded)) {
    await writeAtomically(machine, [Buffer.from(`${JSON.stringify(recorded)}\n`)], { force: true });
  }
  return recorded;
}

/** From so many processors on, the threads of one worker no longer use them well. */
const manyProcessors = 8;

/** One line on processors that a recipe leaves idle; undefined where it does not. @param shards of the recipe */
export function adviseShards({ workers }: RunMachine, shards: number, processors: number): string | undefined {
  if (shards > 1 || workers > 1 || processors < manyProcessors) return undefined;
  const wanted = Math.floor(processors / 2);
  return `one worker runs this recipe; shards: ${wanted} in it lets ${wanted} run at once, with results that differ in the last bits (docs/scaling.md)`;
}
