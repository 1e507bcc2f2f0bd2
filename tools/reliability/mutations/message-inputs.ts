import { isAddress } from "@mbs/artifacts";
import { BadDataError, isObject } from "@mbs/contracts";
import type { Stage } from "@mbs/contracts";
import { descriptorTypes, messages } from "../../../packages/host-grpc/src/protocol/messages.ts";
import type { MessageCodec } from "../../../packages/host-grpc/src/protocol/messages.ts";
import { givenOptions, requireOptions, resolveOptions } from "../../../packages/host-grpc/src/server/stage-call.ts";
import { stages } from "../../../packages/mbs/src/stages.ts";
import { checkJob, jobId, jobKey } from "../../../packages/pipeline/src/run/queue/job.ts";
import type { JobWork } from "../../../packages/pipeline/src/run/queue/job.ts";
import {
  parseCard,
  parseFailure,
  parseNews,
  parseOrder,
  parseResult,
} from "../../../packages/pipeline/src/run/queue/messages.ts";
import { keys } from "../../../packages/pipeline/src/run/queue/queue-names.ts";
import { QueueSeal } from "../../../packages/pipeline/src/run/queue/queue-seal.ts";
import { demand, demandSame, toBytes, toText } from "./input.ts";
import type { Input, Reader } from "./input.ts";

const address = "0123456789abcdef".repeat(4);

/** What protobufjs throws on bytes that are no message, the server answers as a broken call. */
function decode<T>(codec: MessageCodec<T>, bytes: Uint8Array): T {
  try {
    return codec.decode(bytes);
  } catch (cause) {
    throw new BadDataError("no message", {}, { cause });
  }
}

const samples: { readonly [Name in keyof typeof messages]?: object } = {
  Criteria: { expression: toBytes("x") },
  Action: { type: "delete-artifact", body: toBytes(address) },
  FlightDescriptor: { type: descriptorTypes.path, cmd: new Uint8Array(0), path: [address] },
  FlightData: {
    flightDescriptor: { type: 2, cmd: toBytes("x"), path: [] },
    dataHeader: toBytes("head"),
    dataBody: toBytes("body"),
  },
  FlightInfo: {
    schema: toBytes("s"),
    flightDescriptor: { type: 1, cmd: new Uint8Array(0), path: [address] },
    endpoint: [{ ticket: { ticket: toBytes(address) } }],
    totalRecords: 3,
    totalBytes: 900,
    appMetadata: toBytes("k"),
  },
  Ticket: { ticket: toBytes(address) },
  PutResult: { appMetadata: toBytes(address) },
  StageResult: { outputs: { layers: address }, warnings: ["w"], address },
  StageList: {
    stages: [{ name: "a", summary: "b", inputs: [], outputs: [], options: [{ name: "o", kind: "flag", description: "d" }] }],
  },
};

const call = {
  stage: "compress",
  options: { model: { text: "tiny" }, solver: { text: "gptq" }, bits: { number: 4 }, groupSize: { text: "64" } },
  inputs: { factors: { items: [address] } },
  output: "layers",
  threads: 2,
};
const otherCall = {
  stage: "sample",
  options: { model: { text: "tiny" }, corpus: { list: { items: ["tiny"] } }, mix: { text: "equal" }, segments: { number: 4 } },
  inputs: {},
  output: "",
  threads: 0,
};

const resources = { roots: {}, builtIn: { model: ["tiny"], corpus: ["tiny"] }, addressOf: () => Promise.resolve(undefined) };

/** Messages of gRPC: what is decoded is encoded and decoded again; the call of a stage is taken as far as its process. */
export const grpc: Reader = async () => {
  const loaded = new Map<string, Promise<Stage>>();
  const stageOf = (name: string): Promise<Stage> | undefined => {
    const load = stages.get(name)?.load;
    if (load !== undefined && !loaded.has(name)) loaded.set(name, load());
    return loaded.get(name);
  };
  const readCall = async (bytes: Uint8Array): Promise<void> => {
    const request = decode(messages.StageCall, bytes);
    const given = givenOptions(request);
    const stage = await stageOf(request.stage);
    if (stage === undefined) throw new BadDataError("no such stage");
    const table = await requireOptions(stage, given);
    const options = await resolveOptions(table, given, resources, new AbortController().signal);
    for (const [name, value] of Object.entries(options)) {
      demand(Object.hasOwn(table, name), `a call has the option ${name}`);
      demand(typeof value !== "object" || value.every((entry) => entry === "tiny"), `${name} names ${String(value)}`);
    }
  };
  const fromJson = (bytes: Uint8Array): Uint8Array => {
    try {
      return messages.StageCall.encode(
        JSON.parse(toText(bytes)) as typeof call & Parameters<typeof messages.StageCall.encode>[0],
      );
    } catch (cause) {
      throw new BadDataError("no message can be made of this", {}, { cause });
    }
  };
  const plain = Object.entries(samples).map(([name, sample]): Input => {
    const codec = messages[name as keyof typeof messages] as MessageCodec<object>;
    return {
      name,
      bytes: codec.encode(sample),
      form: "bytes",
      read(bytes) {
        const found = decode(codec, bytes);
        demandSame(codec.decode(codec.encode(found)), found, `a ${name}, sent again`);
      },
    };
  });
  const calls = [call, otherCall].flatMap((sample): Input[] => [
    { name: `call of ${sample.stage}`, bytes: messages.StageCall.encode(sample as never), form: "bytes", read: readCall },
    { name: `call of ${sample.stage} as JSON`, bytes: toBytes(sample), form: "json", read: (bytes) => readCall(fromJson(bytes)) },
  ]);
  return [...plain, ...calls];
};

/** JSON that jobs and messages of the queue are; undefined where it is none. */
function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(toText(bytes)) as unknown;
  } catch {
    return undefined;
  }
}

/** The name that a run would give to such a job: a program that puts wrong jobs there can name them rightly. */
function idOf(data: unknown): string | undefined {
  try {
    return jobId(jobKey(data as JobWork));
  } catch {
    return undefined;
  }
}

const mbs = "0.1.0";
/** Without a key: with one, nothing of what is changed is read at all. */
const seal = await QueueSeal.open(undefined, () => undefined);

const jobs: readonly JobWork[] = [
  { mbs, stage: "add", options: {}, inputs: { statistics: [address, address] }, threads: 1, processors: "x64-avx2" },
  {
    mbs,
    stage: "compress",
    options: { model: address, solver: "gptq", bits: 4, groupSize: 64 },
    inputs: { factors: [address] },
    threads: 2,
    processors: "x64-avx2",
  },
  { mbs, stage: "capture", options: { model: address }, inputs: { source: [address] }, threads: 1, processors: "x64-avx2" },
];

/** Parsers that say undefined to what is none of theirs. */
const letters: readonly (readonly [name: string, parser: (text: string) => unknown, sample: object])[] = [
  [
    "card",
    (text) => parseCard(keys.worker("w1"), text, seal),
    { id: "w1", name: "host (process 1)", processors: "x64", labels: ["large"], threads: 2, mbs, hasTrouble: false },
  ],
  [
    "result",
    (text) => parseResult("key", text, seal),
    { address, by: "w1", worker: "host", warnings: ["w"], traffic: { fetched: 1, put: 2 } },
  ],
  ["failure", (text) => parseFailure("failure", text, seal), { tag: "bad-data", message: "m", worker: "host", lost: [address] }],
  [
    "progress",
    (text) => parseNews(text, seal),
    { kind: "progress", id: "node-1", progress: { activity: "a", done: 1, total: 2, unit: "rows" } },
  ],
  ["again", (text) => parseNews(text, seal), { kind: "again", id: "node-1", message: "m" }],
  ["look", (text) => parseOrder(text, seal), { kind: "look", queue: "class.x64" }],
  ["here", (text) => parseOrder(text, seal), { kind: "here", mbs }],
  ["cancel", (text) => parseOrder(text, seal), { kind: "cancel", id: "node-1" }],
];

/** Jobs of the queue, named by their content, and what workers and runs tell each other. */
export const queue: Reader = async () => {
  const rules = { seal, version: mbs, stages: new Map([...stages].map(([name, { load }]) => [name, load])) };
  return [
    ...jobs.map((work): Input => ({
      name: `job ${work.stage}`,
      bytes: toBytes({ ...work, run: "run-1", ends: 4e12 }),
      form: "text",
      async read(bytes) {
        const data = jsonOf(bytes);
        const { work: checked } = await checkJob(data, idOf(data), rules);
        demand(Object.values(checked.inputs).flat().every(isAddress), "a job has an input that is no address");
        demand(
          [checked.options["model"] ?? []].flat().every(isAddress),
          `a job has the model ${String(checked.options["model"])}`,
        );
      },
    })),
    ...letters.map(([name, parser, sample]): Input => ({
      name,
      bytes: toBytes(sample),
      form: "text",
      read(bytes) {
        const found = parser(toText(bytes));
        if (!isObject(found)) throw new BadDataError(`no ${name}`);
        demandSame(parser(JSON.stringify(found)), found, `a ${name}, sent again`);
      },
    })),
  ];
};
