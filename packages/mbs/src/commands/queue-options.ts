import { optionFlag, UsageError } from "@mbs/contracts";
import type { OptionTable, OptionValues } from "@mbs/contracts";
import type { QueueChoice } from "@mbs/pipeline";
import { version } from "../version.ts";

/** Where a queue is, of every command that uses one. */
export const placeOptions = {
  queue: {
    kind: "text",
    placeholder: "URL",
    description: "Redis server of the queue: redis://[USER@]HOST[:PORT][/DATABASE], or rediss:// for TLS",
    optional: true,
  },
  queuePasswordFile: {
    kind: "text",
    placeholder: "FILE",
    description: "file whose first line is the queue's password",
    optional: true,
  },
  queueKeyFile: {
    kind: "text",
    placeholder: "FILE",
    description:
      "file whose first line is a key, 32 characters or more, that run and workers share: they sign jobs and answers with it, and take no others",
    optional: true,
  },
  queueCa: {
    kind: "text",
    placeholder: "FILE",
    description: "certificate of an authority of your own (PEM), for rediss://",
    optional: true,
  },
  store: {
    kind: "text",
    placeholder: "PLACE",
    description: "store that all machines see: a folder, or s3://BUCKET/PREFIX",
    optional: true,
  },
} as const satisfies OptionTable;

/** Options of a run on a queue. */
export const queueRunOptions = {
  engine: {
    kind: "choice",
    choices: ["local", "queue"],
    default: "local",
    description: "run nodes on this machine, or by mbs work on any number of machines",
  },
  ...placeOptions,
  slots: {
    kind: "integer",
    minimum: 1,
    maximum: 4096,
    optional: true,
    description: "nodes that are in the queue at the same time; default 64",
  },
  class: {
    kind: "text",
    placeholder: "CLASS",
    optional: true,
    description: "class of processors to take, as mbs work prints it; default: that of the first worker that answers",
  },
  mixed: {
    kind: "flag",
    description: "take workers of any class of processors; results then differ in the last bits by who ran what",
  },
  workerLabels: {
    kind: "list",
    placeholder: "STAGE=LABEL,…",
    optional: true,
    description: "stages that only workers of a label run",
  },
  publishModel: {
    kind: "flag",
    description: "put the model into the store, for workers that do not have it under their --model-root",
  },
} as const satisfies OptionTable;

type Given = OptionValues<typeof queueRunOptions>;

function parseLabels(given: readonly string[], known: readonly string[]): Readonly<Record<string, string>> {
  const entries = given.map((entry): [string, string] => {
    const [, stage = "", label = ""] = /^([^=]+)=([^=]+)$/.exec(entry) ?? [];
    if (known.includes(stage)) return [stage, label];
    throw new UsageError(`--worker-labels takes STAGE=LABEL, with a stage of ${known.join(", ")}`);
  });
  return Object.fromEntries(entries);
}

/**
 * What a run does with a queue; undefined where it has none.
 *
 * @param stages names of the program's stages
 * @throws {UsageError} on options that do not go together
 */
export function queueChoice(given: Given, workers: number | undefined, stages: readonly string[]): QueueChoice | undefined {
  const {
    engine,
    queue: url,
    queuePasswordFile,
    queueKeyFile,
    queueCa,
    store,
    slots,
    class: processors,
    mixed,
    workerLabels,
    publishModel,
  } = given;
  if (engine === "local") {
    const lone = (Object.keys(queueRunOptions) as (keyof Given)[])
      .filter((name) => name !== "engine")
      .find((name) => given[name] !== undefined && given[name] !== false);
    if (lone !== undefined) throw new UsageError(`${optionFlag(lone)} is for --engine queue; give that too`);
    return undefined;
  }
  if (url === undefined || store === undefined) {
    throw new UsageError("--engine queue needs --queue redis://HOST and --store PLACE, which the workers have too");
  }
  if (workers !== undefined) throw new UsageError("--workers is for --engine local; start as many mbs work as you like");
  if (mixed && processors !== undefined) throw new UsageError("--mixed takes any class, and --class one; give one of them");
  return {
    url,
    passwordFile: queuePasswordFile,
    keyFile: queueKeyFile,
    caFile: queueCa,
    version,
    store,
    slots,
    processors,
    mixed,
    publishModel,
    ...(workerLabels !== undefined && { labels: parseLabels(workerLabels, stages) }),
  };
}
