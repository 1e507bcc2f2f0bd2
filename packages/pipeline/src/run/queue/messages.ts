import { isAddress, parseJson } from "@mbs/artifacts";
import { isErrorTag, isObject, mostThreads } from "@mbs/contracts";
import type { ErrorTag, Progress } from "@mbs/contracts";
import { noTraffic } from "../store-traffic.ts";
import type { Traffic } from "../store-traffic.ts";
import { keys, namePattern } from "./queue-names.ts";
import { unverified } from "./queue-seal.ts";
import type { QueueSeal } from "./queue-seal.ts";

/** What a worker says of itself. */
export interface WorkerCard {
  readonly id: string;
  /** For messages: "host-3 (process 812)". */
  readonly name: string;
  readonly processors: string;
  /** It also takes jobs of these. */
  readonly labels: readonly string[];
  /** Threads that its machine has for a job. */
  readonly threads: number;
  /** Version of its program. */
  readonly mbs: string;
  /** Whether its last node failed by its own disk, or its way to the store. */
  readonly hasTrouble: boolean;
}

/** What a job has made, and who has run it. */
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
export type Order =
  | { readonly kind: "look"; readonly queue: string }
  | { readonly kind: "cancel"; readonly id: string }
  /** A run of this version of the program looks for workers. */
  | { readonly kind: "here"; readonly mbs: string };

const isText = (value: unknown): value is string => typeof value === "string";
const isNumber = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);
const isName = (value: unknown): value is string => isText(value) && namePattern.test(value);

/** Each of these returns undefined for what is none: others may write to the same server. */
export function parseAddress(text: unknown): string | undefined {
  return isAddress(text) ? text : undefined;
}

/** Signs a message for those who share the key. @param purpose see below */
export const sealText = (seal: QueueSeal, purpose: string, value: object): string => JSON.stringify(seal.seal(purpose, value));

/** What messages are for. One of another purpose, or of another key, result or job, is none. */
export const purposes = {
  card: (id: string): string => `worker ${id}`,
  result: (key: string): string => `result ${key}`,
  /** @param signature of the job that failed, so that the failure of an earlier one does not count; "" where jobs have none */
  failure: (id: string, signature: string): string => `failure ${id} ${signature}`,
  model: (address: string): string => `model ${address}`,
  news: "news",
  orders: "orders",
};

const openText = (seal: QueueSeal, purpose: string, text: string): unknown => seal.open(purpose, parseJson(text));

/** A worker that is there, or one whose card has another key than ours: `foreign` is what it calls itself. */
export type FoundCard = WorkerCard | { readonly foreign: string };

export function parseCard(key: string, text: string | null, seal: QueueSeal): FoundCard | undefined {
  const sent = text === null ? undefined : parseJson(text);
  const value = seal.open(purposes.card(key.slice(keys.worker("").length)), sent);
  if (value === undefined) {
    const foreign = unverified(sent);
    return isObject(foreign) && isText(foreign["name"]) ? { foreign: foreign["name"] } : undefined;
  }
  if (!isObject(value)) return undefined;
  // those of other versions may have fewer fields, and are named by what they have
  const { id, name, processors, labels = [], threads, mbs, hasTrouble = false } = value;
  const areThreads = isNumber(threads) && Number.isSafeInteger(threads) && threads >= 1 && threads <= mostThreads;
  const areLabels = Array.isArray(labels) && labels.every(isName);
  if (!isName(id) || !isText(name) || !isName(processors) || !areLabels || !areThreads || !isText(mbs)) return undefined;
  return { id, name, processors, labels, threads, mbs, hasTrouble: hasTrouble === true };
}

function parseTraffic(value: unknown): Traffic {
  const { fetched, put } = isObject(value) ? value : {};
  return isNumber(fetched) && isNumber(put) ? { fetched, put } : noTraffic;
}

/** Where the store has a model: the address of its artifact. @param model address of the model */
export const sealPublished = (seal: QueueSeal, model: string, artifact: string): string =>
  sealText(seal, purposes.model(model), { artifact });

export function parsePublished(model: string, text: string | null, seal: QueueSeal): string | undefined {
  const value = text === null ? undefined : openText(seal, purposes.model(model), text);
  return isObject(value) ? parseAddress(value["artifact"]) : undefined;
}

/** @param key of the job that has made it */
export function parseResult(key: string, text: string | null, seal: QueueSeal): JobResult | undefined {
  const value = text === null ? undefined : openText(seal, purposes.result(key), text);
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

/** @param purpose that of the job which failed */
export function parseFailure(purpose: string, text: string | undefined, seal: QueueSeal): JobFailure | undefined {
  const value = text === undefined ? undefined : openText(seal, purpose, text);
  if (!isObject(value)) return undefined;
  const { tag, message, worker, lost } = value;
  if (!isErrorTag(tag) || !isText(message) || !isText(worker)) return undefined;
  return { tag, message, worker, lost: Array.isArray(lost) ? lost.flatMap((address) => parseAddress(address) ?? []) : [] };
}

function parseProgress(value: unknown): Progress | undefined {
  if (!isObject(value)) return undefined;
  const { activity, done, total, unit } = value;
  if (!isText(activity) || !isNumber(done) || !isText(unit)) return undefined;
  return { activity, done, unit, ...(isNumber(total) && { total }) };
}

export function parseNews(text: string, seal: QueueSeal): News | undefined {
  const value = openText(seal, purposes.news, text);
  if (!isObject(value) || !isName(value["id"])) return undefined;
  const { kind, id, message } = value;
  if (kind === "changed") return { kind, id };
  if (kind === "again" && isText(message)) return { kind, id, message };
  const progress = parseProgress(value["progress"]);
  return kind === "progress" && progress !== undefined ? { kind, id, progress } : undefined;
}

/** @returns "foreign" for one of those who have another key */
export function parseOrder(text: string, seal: QueueSeal): Order | "foreign" | undefined {
  const sent = parseJson(text);
  const value = seal.open(purposes.orders, sent);
  if (!isObject(value)) return value === undefined && isObject(sent) ? "foreign" : undefined;
  const { kind, queue, id, mbs } = value;
  if (kind === "look" && isText(queue)) return { kind, queue };
  if (kind === "here" && isText(mbs)) return { kind, mbs };
  return kind === "cancel" && isText(id) ? { kind, id } : undefined;
}
