import { parseJson } from "@mbs/artifacts";
import { isErrorTag, isObject, mostThreads } from "@mbs/contracts";
import type { ErrorTag, Progress } from "@mbs/contracts";
import { noTraffic } from "../store-traffic.ts";
import type { Traffic } from "../store-traffic.ts";
import { namePattern } from "./queue-names.ts";

/** What a worker says of itself. */
export interface WorkerCard {
  readonly id: string;
  /** For messages: "host-3 (process 812)". */
  readonly name: string;
  readonly processors: string;
  /** Threads that its machine has for a job. */
  readonly threads: number;
}

/** What a job has made, or who has failed at it. */
export interface JobResult {
  readonly address: string;
  /** Id of the worker that ran it. */
  readonly by: string;
  /** Its name, for messages. */
  readonly worker: string;
  readonly warnings: readonly string[];
  /** What it moved to and from the store for this job. */
  readonly traffic: Traffic;
}

/** Why a job failed. */
export interface JobFailure {
  readonly tag: ErrorTag;
  readonly message: string;
  readonly worker: string;
  /** Inputs that the store did not have, or not whole. */
  readonly lost: readonly string[];
}

/** From workers to runs. */
export type News =
  | { readonly kind: "changed"; readonly id: string }
  | { readonly kind: "progress"; readonly id: string; readonly progress: Progress }
  | { readonly kind: "again"; readonly id: string; readonly message: string };

/** From runs to workers. */
export type Order = { readonly kind: "look"; readonly queue: string } | { readonly kind: "cancel"; readonly id: string };

const isText = (value: unknown): value is string => typeof value === "string";
const isCount = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);
const isName = (value: unknown): value is string => isText(value) && namePattern.test(value);

/** Each of these returns undefined for what is none: others may write to the same server. */
export function parseAddress(text: unknown): string | undefined {
  return isText(text) && /^[0-9a-f]{64}$/.test(text) ? text : undefined;
}

export function parseCard(text: string | null): WorkerCard | undefined {
  const value = text === null ? undefined : parseJson(text);
  if (!isObject(value)) return undefined;
  const { id, name, processors, threads } = value;
  const areThreads = isCount(threads) && Number.isSafeInteger(threads) && threads >= 1 && threads <= mostThreads;
  return isName(id) && isText(name) && isName(processors) && areThreads ? { id, name, processors, threads } : undefined;
}

function parseTraffic(value: unknown): Traffic {
  const { fetched, put } = isObject(value) ? value : {};
  return isCount(fetched) && isCount(put) ? { fetched, put } : noTraffic;
}

export function parseResult(text: string | null): JobResult | undefined {
  const value = text === null ? undefined : parseJson(text);
  if (!isObject(value)) return undefined;
  const { by, worker, warnings } = value;
  const address = parseAddress(value["address"]);
  if (address === undefined || !isName(by) || !isText(worker)) return undefined;
  return {
    address,
    by,
    worker,
    warnings: Array.isArray(warnings) ? warnings.filter(isText) : [],
    traffic: parseTraffic(value["traffic"]),
  };
}

export function parseFailure(text: string | undefined): JobFailure | undefined {
  const value = text === undefined ? undefined : parseJson(text);
  if (!isObject(value)) return undefined;
  const { tag, message, worker, lost } = value;
  if (!isErrorTag(tag) || !isText(message) || !isText(worker)) return undefined;
  return { tag, message, worker, lost: Array.isArray(lost) ? lost.flatMap((address) => parseAddress(address) ?? []) : [] };
}

function parseProgress(value: unknown): Progress | undefined {
  if (!isObject(value)) return undefined;
  const { activity, done, total, unit } = value;
  if (!isText(activity) || !isCount(done) || !isText(unit)) return undefined;
  return { activity, done, unit, ...(isCount(total) && { total }) };
}

export function parseNews(text: string): News | undefined {
  const value = parseJson(text);
  if (!isObject(value) || !isName(value["id"])) return undefined;
  const { kind, id, message } = value;
  if (kind === "changed") return { kind, id };
  if (kind === "again" && isText(message)) return { kind, id, message };
  const progress = parseProgress(value["progress"]);
  return kind === "progress" && progress !== undefined ? { kind, id, progress } : undefined;
}

export function parseOrder(text: string): Order | undefined {
  const value = parseJson(text);
  if (!isObject(value)) return undefined;
  const { kind, queue, id } = value;
  if (kind === "look" && isText(queue)) return { kind, queue };
  return kind === "cancel" && isText(id) ? { kind, id } : undefined;
}
