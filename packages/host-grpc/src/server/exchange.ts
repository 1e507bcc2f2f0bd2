import type { ChildProcess } from "node:child_process";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import type { ServerDuplexStream } from "@grpc/grpc-js";
import { decodeFlight, decodeStream, encodeFlight, encodeStream, makeTemporaryFolder, openArtifact } from "@mbs/artifacts";
import { MbsError, UsageError, firstOutput, isOptional, observed, quoted } from "@mbs/contracts";
import type { OptionTable, Stage } from "@mbs/contracts";
import { withinBytes } from "./call-bytes.ts";
import type { CallWatch } from "./call-watch.ts";
import { receive, send, withoutDescriptors } from "../protocol/messages-in-order.ts";
import type { ChildSlots } from "./child-slots.ts";
import { messages } from "../protocol/messages.ts";
import type { FlightData, StageCall, StageResult } from "../protocol/messages.ts";
import type { OpenCall } from "./open-calls.ts";
import { notStored, requireAddress } from "./served-resources.ts";
import type { ServedStore } from "./served-store.ts";
import type { ResourceRoots } from "./served-resources.ts";
import { givenOptions, requireOptions, resolveOptions } from "./stage-call.ts";
import { feed, startChild } from "./stage-child.ts";
import type { ChildRun, StageChild } from "./stage-child.ts";

/** What all calls of stages have in common. */
export interface ExchangeServer {
  readonly stages: readonly Stage[];
  readonly store: ServedStore;
  readonly resources: ResourceRoots;
  readonly command: readonly string[];
  readonly slots: ChildSlots;
  /** Threads of a child; a client may ask for fewer. */
  readonly threads: number;
  /** Most bytes that a call may send. */
  readonly callBytes: number;
  /** Takes the server's folders out of a text. */
  readonly hide: (text: string) => string;
  /** Children that run now. */
  readonly children: Set<ChildProcess>;
}

type ExchangeCall = ServerDuplexStream<FlightData, FlightData>;

function parseCall(first: FlightData | undefined): StageCall {
  const command = first?.flightDescriptor?.cmd;
  if (!command || command.length === 0) {
    throw new UsageError("the first message's descriptor must hold a StageCall (protos/mbs/v1/stage.proto) as its command");
  }
  try {
    return messages.StageCall.decode(command);
  } catch (cause) {
    throw new UsageError("the descriptor's command is no StageCall (protos/mbs/v1/stage.proto)", {}, { cause });
  }
}

function findStage(stages: readonly Stage[], name: string): Stage {
  const stage = stages.find((candidate) => candidate.name === name);
  if (stage) return stage;
  throw new UsageError(`no stage ${quoted(name)}; this server has ${stages.map((each) => each.name).join(", ")}`);
}

/** Addresses of the inputs by name that do not travel in the call. */
function namedInputs(stage: Stage, call: StageCall): Readonly<Record<string, readonly string[]>> {
  const addresses: Record<string, readonly string[]> = {};
  for (const [name, { items }] of Object.entries(call.inputs)) {
    if (!Object.hasOwn(stage.inputs, name)) {
      throw new UsageError(`${stage.name} has no input ${quoted(name)}; it has ${Object.keys(stage.inputs).join(", ")}`);
    }
    addresses[name] = items.map(requireAddress);
  }
  return addresses;
}

async function storedInputs(
  named: Readonly<Record<string, readonly string[]>>,
  { artifacts }: ServedStore,
): Promise<Record<string, readonly string[]>> {
  const paths: Record<string, readonly string[]> = {};
  for (const [name, addresses] of Object.entries(named)) {
    for (const address of addresses) {
      if (!(await artifacts.has(address))) throw notStored(address, { input: name });
    }
    paths[name] = addresses.map((address) => artifacts.path(address));
  }
  return paths;
}

/** Paths of the outputs by flag of the command line: the one that comes back on standard output, the others in a folder made for them. */
async function outputPaths(
  stage: Stage,
  wanted: string,
  makeFolder: () => Promise<string>,
): Promise<Readonly<Record<string, string>>> {
  const first = firstOutput(stage).name;
  const back = wanted === "" ? first : wanted;
  if (!Object.hasOwn(stage.outputs, back)) {
    throw new UsageError(`${stage.name} has no output ${quoted(back)}; it has ${Object.keys(stage.outputs).join(", ")}`);
  }
  const paths: Record<string, string> = {};
  for (const name of Object.keys(stage.outputs)) {
    paths[name === first ? "output" : name] = name === back ? "-" : join(await makeFolder(), `${name}.arrow`);
  }
  return paths;
}

/** The stream with its first message put back: it may hold the schema beside the call. */
async function* startingWith(first: FlightData, rest: AsyncIterable<FlightData>): AsyncGenerator<FlightData> {
  yield first;
  yield* rest;
}

/** Client to child: Flight messages become an artifact stream as in a pipe, with its hashes and its end marker. */
async function passInput(incoming: AsyncIterable<FlightData>, run: ChildRun, child: StageChild): Promise<void> {
  if (!run.readsInput) {
    child.input.end();
    return;
  }
  try {
    await feed(child.input, encodeStream(await decodeFlight(withoutDescriptors(incoming))).bytes);
  } catch (error) {
    // Without the end marker the child sees an input that is cut short, and stops.
    child.input.destroy();
    throw error;
  }
}

/** Child to client. Returns the content address. */
async function passOutput(call: ExchangeCall, child: StageChild, watch: CallWatch): Promise<string> {
  const stream = await decodeStream(child.output);
  for await (const { header, body } of encodeFlight(stream)) await send(call, { dataHeader: header, dataBody: body }, watch);
  return (await stream.receipt).address;
}

const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

const isBrokenPipe = (error: unknown): boolean => error instanceof MbsError && error.tag === "broken-pipe";

/**
 * Runs a stage between the two directions of a call.
 *
 * @returns the address of what went back
 */
async function runBetween(
  call: ExchangeCall,
  incoming: AsyncIterable<FlightData>,
  run: ChildRun,
  watch: CallWatch,
  children: Set<ChildProcess>,
): Promise<Pick<StageResult, "address" | "warnings">> {
  watch.stageWaits(false);
  const child = await startChild(run, watch.signal, (waits) => watch.stageWaits(waits));
  children.add(child.process);
  let inputFailure: unknown;
  // Not awaited: a stage may end before it has read all input.
  void passInput(incoming, run, child).catch((error: unknown) => (inputFailure = error));
  const output = passOutput(call, child, watch).catch((error: unknown) => {
    // The child gets EPIPE if it still writes.
    child.output.destroy();
    throw error;
  });
  const [outputFailure, ending] = await Promise.all([failureOf(output), failureOf(child.ended)]);
  children.delete(child.process);
  watch.signal.throwIfAborted();
  // The error nearest to the cause: bad input, else the stage's own report, else a damaged output.
  if (inputFailure !== undefined && !isBrokenPipe(inputFailure)) throw inputFailure;
  const failure = isBrokenPipe(ending) ? outputFailure : (ending ?? outputFailure);
  if (failure !== undefined) throw failure;
  return { address: await output, warnings: child.warnings };
}

/** A call whose stage, options and inputs are known. */
interface ReadCall {
  readonly request: StageCall;
  readonly stage: Stage;
  readonly given: ReturnType<typeof givenOptions>;
  readonly table: OptionTable;
  /** Paths of the inputs that do not travel in the call. */
  readonly inputs: Readonly<Record<string, readonly string[]>>;
  /** All messages. */
  readonly incoming: AsyncIterable<FlightData>;
}

/** Runs the stage of a call, once it is its turn, and sends what it makes. */
async function runStage(
  server: ExchangeServer,
  call: ExchangeCall,
  watch: CallWatch,
  { client, told }: Pick<OpenCall, "client" | "told">,
  { request, stage, given, table, inputs, incoming }: ReadCall,
): Promise<void> {
  let folder: string | undefined;
  try {
    const outputs = await outputPaths(stage, request.output, async () => (folder ??= await makeTemporaryFolder()));
    // said before it computes for hours
    if (Object.values(outputs).some((path) => path !== "-")) server.store.requireSpace();
    // the first input travels in the call's stream
    const [streamed] = Object.keys(stage.inputs);
    const declared = streamed === undefined ? undefined : stage.inputs[streamed];
    const isStored = streamed !== undefined && inputs[streamed] !== undefined;
    const threads = request.threads === 0 ? server.threads : Math.min(request.threads, server.threads);
    const came = performance.now();
    const result = await server.slots.run({ client, threads }, watch.signal, async () => {
      const waited = (performance.now() - came) / 1000;
      const work = async () => {
        // in the slot: a model that is named by its address is found by reading models
        const options = await resolveOptions(table, given, server.resources, watch.signal);
        const readsInput = declared !== undefined && !isStored && !isOptional(declared, options);
        const run: ChildRun = { command: server.command, stage: stage.name, options, threads, readsInput, inputs, outputs };
        return runBetween(call, incoming, run, watch, server.children);
      };
      return observed(told.stage({ stage: stage.name, waited }), work, { signal: watch.signal });
    });
    const stored: Record<string, string> = {};
    for (const [flag, path] of Object.entries(outputs)) {
      if (path === "-") continue;
      const name = flag === "output" ? firstOutput(stage).name : flag;
      stored[name] = (await server.store.put(await openArtifact(path), watch.signal)).address;
    }
    const { address } = result;
    const warnings = result.warnings.map(server.hide);
    await send(call, { appMetadata: messages.StageResult.encode({ address, warnings, outputs: stored }) }, watch);
  } finally {
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  }
}

/**
 * DoExchange: the first message's descriptor names the stage, its first input streams in, its first output streams out.
 *
 * @param open whose threads are counted together, and where it is reported
 */
export async function exchange(
  server: ExchangeServer,
  call: ExchangeCall,
  watch: CallWatch,
  open: Pick<OpenCall, "client" | "told">,
): Promise<void> {
  const incoming = withinBytes(receive<FlightData>(call, watch), server.callBytes);
  const { value: first } = await incoming.next();
  const request = parseCall(first as FlightData | undefined);
  const stage = findStage(server.stages, request.stage);
  const given = givenOptions(request);
  const table = await requireOptions(stage, given);
  const named = namedInputs(stage, request);
  const { store } = server;
  await store.using(Object.values(named).flat(), async () => {
    const inputs = await storedInputs(named, store);
    const whole = startingWith(first as FlightData, incoming);
    await runStage(server, call, watch, open, { request, stage, given, table, incoming: whole, inputs });
  });
}
