import { stat } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { openCorpus, presetNames, readDistribution } from "@mbs/corpora";
import { openModel } from "@mbs/models";
import { UsageError } from "@mbs/contracts";
import type { ResourceKind, Stage } from "@mbs/contracts";

async function modelAddress(path: string): Promise<string> {
  const model = await openModel(path);
  try {
    return model.address;
  } finally {
    await model.close();
  }
}

const readers: Readonly<Record<ResourceKind, (path: string) => Promise<string>>> = {
  model: modelAddress,
  corpus: async (path) => (await openCorpus(path)).address,
  distribution: async (path) => (await readDistribution(path)).address,
};

/** The content address of a model, corpus or distribution. */
export const resourceAddress = (kind: ResourceKind, path: string): Promise<string> => readers[kind](path);

/** Names that mean the same everywhere. */
export const builtInNames = { distribution: presetNames } as const;

/**
 * How a server knows a resource: by its content address where it lies here, else by the name that was given.
 *
 * A name that is not a path here may be one of the server's own.
 */
export async function namedResource(kind: ResourceKind, path: string): Promise<string> {
  if (kind === "distribution" && presetNames.includes(path)) return path;
  const here = await stat(path).catch(() => undefined);
  return here ? resourceAddress(kind, path) : path;
}

/** Options as they mean the same on another machine: names made from paths are made here. */
export function namedOptions(stage: Stage, options: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { model, labels } = options;
  if (stage.name !== "evaluate" || labels !== undefined || !Array.isArray(model)) return options;
  return { ...options, labels: model.map((path) => basename(resolve(String(path)))) };
}

/**
 * Refuses calls that a server must not serve: a solver from a file or a package would run code that the client chose,
 * whatever stage takes it.
 *
 * @throws {UsageError} naming the solvers that are built in
 */
export function checkRemoteCall(options: Readonly<Record<string, unknown>>, solvers: readonly string[]): void {
  const { solver } = options;
  if (solver !== undefined && !(typeof solver === "string" && solvers.includes(solver))) {
    throw new UsageError(`a server runs its own solvers only: ${solvers.join(", ")}`, { option: "--solver" });
  }
}
