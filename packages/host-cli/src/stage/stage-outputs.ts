import { readdir, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { encodeStream, makeFolder, plainAt, requireReplaceable, unpackFiles, withLock, writeArtifact } from "@mbs/artifacts";
import { DeniedError, InternalError, UsageError, optionFlag } from "@mbs/contracts";
import type { ArtifactStream, Batch, Stage, StageOutput, StageOutputs } from "@mbs/contracts";
import type { Presenter } from "./cli-host.ts";
import { printText, standardStream, writeStandardOutput } from "../process/standard-streams.ts";

/** Where one output goes; `show` puts a table or JSON on standard output, beside the file if there is one. */
export interface Destination {
  readonly path: string | undefined;
  /** Whether files are written there as a folder. */
  readonly folder: boolean;
  /** As the stage declares it. */
  readonly mayHold?: StageOutput["mayHold"];
  readonly show?: (stream: ArtifactStream) => Promise<string>;
}

export interface OutputRequest {
  /** `--output` */
  readonly output: string | undefined;
  /** Paths by name of the outputs after the first. */
  readonly named: Readonly<Record<string, string | undefined>>;
  readonly json: boolean;
  /** `--quiet`: no table beside a file. */
  readonly quiet: boolean;
  readonly presenter: Presenter | undefined;
  /** Options of the presenter's table, unparsed. */
  readonly shown: Readonly<Record<string, unknown>>;
  readonly terminal: boolean;
}

const jsonText = async (presenter: Presenter, stream: ArtifactStream): Promise<string> =>
  `${JSON.stringify(await presenter.json(stream), null, 2)}\n`;

function firstDestination({ kind, folder = false, mayHold }: StageOutput, request: OutputRequest): Destination {
  const { output, json, quiet, presenter, shown, terminal } = request;
  if (json && presenter) {
    return { path: output === standardStream ? undefined : output, folder, show: (stream) => jsonText(presenter, stream) };
  }
  if (folder && output === undefined) {
    throw new UsageError("--output FOLDER is required: the files are written there");
  }
  if (output !== undefined) {
    // the artifact goes to a file, so standard output is free for the table
    const shows = presenter !== undefined && output !== standardStream && !quiet;
    return { path: output, folder, mayHold, ...(shows && { show: (stream: ArtifactStream) => presenter.table(stream, shown) }) };
  }
  if (!terminal) return { path: standardStream, folder };
  if (presenter) return { path: undefined, folder, show: (stream) => presenter.table(stream, shown) };
  throw new UsageError(`standard output is a terminal; redirect it, e.g. > ${kind}.arrow, pipe it on, or use --output FILE`);
}

/**
 * Where each output goes: the first to standard output or `--output`, the others to the files named for them or nowhere.
 *
 * @throws {UsageError} where binary data would be spilt over a terminal, or two outputs meet
 */
export function planOutputs(stage: Stage, request: OutputRequest): ReadonlyMap<string, Destination> {
  const plan = new Map<string, Destination>();
  for (const [index, [name, declared]] of Object.entries(stage.outputs).entries()) {
    plan.set(
      name,
      index === 0 ? firstDestination(declared, request) : { path: request.named[name], folder: declared.folder ?? false },
    );
  }
  for (const [index, [name, { path }]] of [...plan].entries()) {
    if (path === "")
      throw new UsageError(`${index === 0 ? "--output" : optionFlag(name)} takes a path, not ""`, { output: name });
  }
  const targets = [...plan.values()].flatMap(({ path, show }) => [
    ...(path === undefined ? [] : [path]),
    ...(show ? [standardStream] : []),
  ]);
  if (new Set(targets.map((target) => (target === standardStream ? target : resolve(target)))).size < targets.length) {
    throw new UsageError("two outputs go to the same file; give each a file of its own");
  }
  return plan;
}

/** Refuses an existing output before hours of work. @throws {DeniedError} */
async function checkPath({ folder, mayHold }: Destination, path: string, force: boolean): Promise<void> {
  const found = await (folder ? stat(path).catch(() => undefined) : plainAt(path));
  if (found?.isDirectory() && folder && force && mayHold !== undefined) return requireReplaceable(path, mayHold);
  if (!found || force) return;
  const empty = folder && found.isDirectory() && (await readdir(path)).length === 0;
  if (!empty) throw new DeniedError(`${path} exists; choose another name, or replace it with --force`, { path });
}

/** The paths that outputs go to. */
export const outputPaths = (plan: ReadonlyMap<string, Destination>): string[] =>
  [...plan.values()].flatMap(({ path }) => (path === undefined || path === standardStream ? [] : [path]));

/**
 * Works while no other process writes to the same paths.
 *
 * @throws {DeniedError} when a path is taken or read-only
 * @throws {TryAgainError} when another process writes to a path, naming it
 */
export async function lockingOutputs(
  plan: ReadonlyMap<string, Destination>,
  force: boolean,
  work: () => Promise<void>,
): Promise<void> {
  let whole = async (): Promise<void> => {
    for (const destination of plan.values()) {
      const { path } = destination;
      if (path !== undefined && path !== standardStream) await checkPath(destination, path, force);
    }
    await work();
  };
  for (const { path, folder } of plan.values()) {
    if (path === undefined || path === standardStream) continue;
    const inner = whole;
    // refuses a device before a lock file would be made beside it
    if (!folder) await plainAt(path);
    await makeFolder(dirname(resolve(path)));
    whole = () => withLock(path, inner);
  }
  await whole();
}

async function* replay(batches: readonly Batch[]): AsyncGenerator<Batch> {
  yield* batches;
}

/** Reads a small artifact into memory, so that it can be read several times. */
async function collect(stream: ArtifactStream): Promise<() => ArtifactStream> {
  const batches: Batch[] = [];
  for await (const batch of stream.batches) batches.push(batch);
  return () => ({ schema: stream.schema, batches: replay(batches) });
}

async function writeOutput(stream: ArtifactStream, { path, folder, show }: Destination, options: WriteSettings): Promise<void> {
  if (show) {
    // Artifacts that are shown are small; the file and the table both read it.
    const again = await collect(stream);
    if (path !== undefined) await writeArtifact(again(), path, options);
    await printText(await show(again()));
  } else if (path === standardStream) {
    await writeStandardOutput(encodeStream(stream).bytes);
  } else if (path === undefined) {
    for await (const _ of stream.batches);
  } else if (folder) {
    await unpackFiles(stream, path, options);
  } else {
    await writeArtifact(stream, path, options);
  }
}

export interface WriteSettings {
  readonly force: boolean;
  readonly signal: AbortSignal;
}

/**
 * Writes all outputs side by side, since a stage may make them together.
 *
 * @param fail called at the first failure, so that the others stop too
 */
export async function writeOutputs(
  outputs: StageOutputs,
  plan: ReadonlyMap<string, Destination>,
  settings: WriteSettings,
  fail: (cause: unknown) => void,
): Promise<void> {
  const writes = [...plan].map(async ([name, destination]) => {
    try {
      const stream = outputs[name];
      if (!stream) throw new InternalError(`the stage made no output ${optionFlag(name).slice(2)}`, { output: name });
      await writeOutput(stream, destination, settings);
    } catch (error) {
      fail(error);
      throw error;
    }
  });
  const failed = (await Promise.allSettled(writes)).find((result) => result.status === "rejected");
  if (failed) throw failed.reason;
}
