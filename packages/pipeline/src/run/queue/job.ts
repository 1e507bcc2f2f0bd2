import { isAddress, isDeep, manifestKey } from "@mbs/artifacts";
import {
  BadDataError,
  UsageError,
  firstOutput,
  isObject,
  mostThreads,
  optionTable,
  parseOptions,
  quoted,
  thirdPartyCode,
} from "@mbs/contracts";
import type { OptionTable, Stage, StageOptions } from "@mbs/contracts";
import { namePattern } from "./queue-names.ts";
import type { QueueSeal } from "./queue-seal.ts";

/** Longest job that is looked at, in characters of JSON. */
const longestJob = 4 * 1024 * 1024;

/** What a worker is asked to do: names and addresses alone, no path and no code. */
export interface JobWork {
  /** Name of a stage of the program. */
  readonly stage: string;
  /** Resources by content address, solvers by the names that the program has for them. */
  readonly options: StageOptions;
  /** Input → addresses. */
  readonly inputs: Readonly<Record<string, readonly string[]>>;
  readonly threads: number;
  /** Class of the processors that it is to run on. */
  readonly processors: string;
  /** Version of the program: another one may make something else. */
  readonly mbs: string;
}

/** The key of a job: equal work has equal keys. */
export const jobKey = ({ stage, options, inputs, threads, processors, mbs }: JobWork): string =>
  manifestKey(stage, { ...options, threads, processors, mbs }, inputs);

/** As BullMQ wants it: no ":" and not digits alone. */
export const jobId = (key: string): string => `node-${key}`;

/** Milliseconds that a job counts after it was sent: far more than clocks of machines are apart, far less than a key is kept. */
export const jobLife = 24 * 3600 * 1000;

const purposeOf = (id: string): string => `job ${id}`;

/**
 * The job as it is sent. Signed, it is that of this id alone, and ends.
 *
 * @param run name of the run that sends it
 */
export const jobData = (work: JobWork, run: string, seal: QueueSeal): object =>
  seal.seal(purposeOf(jobId(jobKey(work))), { ...work, run, ends: Date.now() + jobLife });

/** Whether a job in a queue is as a run with this key has sent it, however long ago. */
export const isSealed = (data: unknown, id: string, seal: QueueSeal): boolean => seal.open(purposeOf(id), data) !== undefined;

/** Milliseconds that a job in a queue still counts, 0 where it is none that was signed with this key. */
export function jobTimeLeft(data: unknown, id: string, seal: QueueSeal): number {
  const job = seal.open(purposeOf(id), data);
  const ends = isObject(job) ? job["ends"] : undefined;
  return typeof ends === "number" ? Math.max(0, ends - Date.now()) : 0;
}

/**
 * Whether a node of a stage may run elsewhere: code of others and what is read from files other than models stays here, and so
 * does what is written as a folder.
 *
 * @param made folder of the model that the run writes, which no other machine has
 */
export function canTravel(stage: Stage, options: StageOptions, made?: string): boolean {
  if (stage.loadedFrom !== undefined || firstOutput(stage).folder === true) return false;
  if (thirdPartyCode(stage.options, options) !== undefined) return false;
  return Object.entries(stage.options).every(([name, option]) => {
    if (option.kind !== "resource") return true;
    const value = options[name];
    if (value === undefined) return option.optional === true;
    return option.resource === "model" && [value].flat().every((path) => path !== made);
  });
}

const refuse = (why: string): never => {
  throw new BadDataError(`the job was refused: ${why}`);
};

/** @throws {BadDataError} on a resource that is no address */
function checkResources(table: OptionTable, options: StageOptions): void {
  for (const [name, option] of Object.entries(table)) {
    const value = options[name];
    if (value === undefined || option.kind !== "resource") continue;
    if (option.resource !== "model") refuse(`${name} is read from files that no worker has`);
    const isAddressed = [value].flat().every(isAddress);
    if (!isAddressed) refuse(`${name} is no address`);
  }
}

function checkInputs(stage: Stage, inputs: unknown): Readonly<Record<string, readonly string[]>> {
  if (!isObject(inputs)) return refuse("it has no inputs");
  for (const [name, addresses] of Object.entries(inputs)) {
    if (!Object.hasOwn(stage.inputs, name)) refuse(`${stage.name} has no input ${quoted(name)}`);
    if (!Array.isArray(addresses) || !addresses.every(isAddress)) {
      refuse(`an input of ${stage.name} is no address`);
    }
  }
  return inputs as Readonly<Record<string, readonly string[]>>;
}

/** What a worker checks jobs by. */
export interface JobRules {
  readonly seal: QueueSeal;
  /** Of the program. */
  readonly version: string;
  /** The program's stages, and no others. */
  readonly stages: ReadonlyMap<string, () => Promise<Stage>>;
}

const timeOf = (milliseconds: number): string => new Date(milliseconds).toISOString();

/** @returns the job, if it is signed as this worker's jobs are */
function openJob(data: unknown, id: string, { seal, version }: JobRules): Record<string, unknown> {
  const job = seal.open(purposeOf(id), data);
  if (job === undefined) {
    const why =
      seal.keyName === undefined ? "it is signed, and this worker has no key" : "it is not signed with this worker's key";
    return refuse(`${why}; give runs and workers the same file by --queue-key-file`);
  }
  if (!isObject(job)) return refuse("it is no job, or a very long one");
  const { run, ends, mbs } = job;
  if (mbs !== version) {
    const sender = typeof run === "string" ? `run ${quoted(run)}` : "its run";
    return refuse(`${sender} has mbs ${quoted(mbs)} and this worker ${version}; install the same version on both`);
  }
  if (seal.keyName !== undefined && !(typeof ends === "number" && Math.abs(ends) < 8e15 && ends > Date.now())) {
    const until = typeof ends === "number" && Math.abs(ends) < 8e15 ? timeOf(ends) : quoted(ends);
    return refuse(`its signature ended at ${until}, and it is ${timeOf(Date.now())} here; set this machine's clock`);
  }
  return job;
}

/**
 * Checks a job that came from a queue, where anyone may have put it. Nothing of it is loaded or opened before.
 *
 * @param id that it has in the queue
 * @throws {BadDataError} on anything that a run would not have sent
 */
export async function checkJob(
  data: unknown,
  id: string | undefined,
  rules: JobRules,
): Promise<{ readonly work: JobWork; readonly table: OptionTable }> {
  if (!isObject(data) || id === undefined || isDeep(data) || JSON.stringify(data).length > longestJob) {
    return refuse("it is no job, or a very long or deeply nested one");
  }
  const { stage: name, options, inputs, threads, processors } = openJob(data, id, rules);
  const load = typeof name === "string" ? rules.stages.get(name) : undefined;
  if (typeof name !== "string" || load === undefined) return refuse(`this program has no stage ${quoted(name)}`);
  if (!isObject(options)) return refuse("it has no options");
  if (typeof threads !== "number" || !Number.isSafeInteger(threads) || threads < 1 || threads > mostThreads) {
    return refuse(`${quoted(threads)} is no number of threads`);
  }
  if (typeof processors !== "string" || !namePattern.test(processors)) return refuse("it names no class of processors");
  const stage = await load();
  if (!canTravel(stage, options)) return refuse(`${name} with these options runs where the run was started`);
  // before the code that these options name is asked for further ones
  checkResources(stage.options, options);
  const work = { stage: name, options, inputs: checkInputs(stage, inputs), threads, processors, mbs: rules.version };
  if (jobId(jobKey(work)) !== id) return refuse("its name is not that of its content");
  // only now: the further options of a stage may be those of code that it names
  const table = await optionTable(stage, options);
  const code = thirdPartyCode(table, options);
  if (code !== undefined) refuse(`${code.name} is no code of this program`);
  checkResources(table, options);
  try {
    parseOptions(table, options, name);
  } catch (cause) {
    if (cause instanceof UsageError) refuse(cause.message);
    throw cause;
  }
  return { work, table };
}
