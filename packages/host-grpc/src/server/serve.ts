import { setTimeout as delay } from "node:timers/promises";
import { logVerbosity, Server, ServerCredentials, setLogVerbosity, status as codes } from "@grpc/grpc-js";
import type { Metadata, StatusObject } from "@grpc/grpc-js";
import { ArtifactStore, removeTemporaryFolders } from "@mbs/artifacts";
import { availableProcessors, InputOutputError, resourceKinds, TryAgainError, UsageError } from "@mbs/contracts";
import type { ResourceKind, Stage } from "@mbs/contracts";
import { CallWatch } from "./call-watch.ts";
import { doGet, doPut, getFlightInfo, getSchema, listFlights } from "./artifact-calls.ts";
import { exchange } from "./exchange.ts";
import type { ExchangeServer } from "./exchange.ts";
import { parseListenAddress } from "../protocol/address.ts";
import { send } from "../protocol/messages-in-order.ts";
import { OpenCalls } from "./open-calls.ts";
import { ChildSlots } from "./child-slots.ts";
import { flightService } from "../protocol/flight-service.ts";
import { messages } from "../protocol/messages.ts";
import type { ResourceRoots } from "./served-resources.ts";
import { prepareStore, requireRoot } from "./served-folders.ts";
import { describeStages } from "./stage-call.ts";
import { toStatus } from "../protocol/status.ts";
import { channelOptions, defaultIdleMs, defaultKeepalive, idleConnectionMs, keepaliveOptions } from "../protocol/channel.ts";
import type { Keepalive } from "../protocol/channel.ts";

/** Most calls that are open at one time, those that wait for a free slot included: each may hold a window of data in memory. */
export const callLimit = 100;

export interface ServeOptions {
  /** "127.0.0.1:8815"; port 0 takes a free one. */
  readonly listen: string;
  readonly stages: readonly Stage[];
  /** Folder of the artifacts. */
  readonly store: string;
  /** Folders whose entries clients may name. */
  readonly roots?: Partial<Readonly<Record<ResourceKind, string | undefined>>>;
  readonly builtIn?: ResourceRoots["builtIn"];
  readonly addressOf: ResourceRoots["addressOf"];
  /**
   * Program and arguments that run a stage as a command: a child is `…command STAGE`, and reads its flags with
   * `allArguments` of @mbs/host-cli from the channel to its parent.
   */
  readonly command: readonly string[];
  /** Stages that run at one time; further calls wait. Default: the number of cores. */
  readonly children?: number | undefined;
  /** Threads of each stage. Default: the number of cores. */
  readonly threads?: number | undefined;
  /** Milliseconds that a call waits for a client which neither sends nor reads. */
  readonly idleMs?: number | undefined;
  readonly keepalive?: Keepalive | undefined;
  /** Called with the stack of internal errors, which clients do not see. */
  readonly log?: (line: string) => void;
}

export interface RunningServer {
  readonly port: number;
  /** Ends all calls at once (UNAVAILABLE) and waits for their children, at most two seconds. */
  close(): Promise<void>;
}

const listStages = "list-stages";

/** Milliseconds in which a server that is closed ends its calls and their children. */
const closeMs = 2000;

interface StreamingCall {
  readonly metadata: Metadata;
  on(event: "cancelled" | "error", listener: (error?: unknown) => void): unknown;
  emit(event: "error", error: Partial<StatusObject>): boolean;
  end(): unknown;
  destroy(): unknown;
}

const causeOf = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error));

/**
 * Starts a server of Arrow Flight for stages and artifacts.
 *
 * @throws {UsageError} on an address that is none, or a root that is no folder
 * @throws {DeniedError} off loopback, or where the store is no folder to write to
 * @throws {InputOutputError} where the port is taken
 */
export async function serve(options: ServeOptions): Promise<RunningServer> {
  const { host, port: wanted } = parseListenAddress(options.listen);
  const { stages, log = () => undefined } = options;
  // An absolute path: it is cut out of messages, and a folder called "store" would cut out that word.
  const store = new ArtifactStore(await prepareStore(options.store));
  await Promise.all([store.removeLeftovers(), removeTemporaryFolders()]);
  const roots = new Map<string, string>();
  for (const kind of resourceKinds) {
    const root = await requireRoot(kind, options.roots?.[kind]);
    if (root !== undefined) roots.set(kind, root);
  }
  const exchanges: ExchangeServer = {
    stages,
    store,
    resources: { roots: Object.fromEntries(roots), builtIn: options.builtIn ?? {}, addressOf: options.addressOf },
    command: options.command,
    slots: new ChildSlots(options.children ?? availableProcessors()),
    threads: options.threads ?? availableProcessors(),
    children: new Set(),
  };
  const hidden = Object.fromEntries(
    [["the store", store.root], ...[...roots].map(([kind, folder]) => [`the server's --${kind}-root`, folder])].map(
      ([name, folder]) => [name, folder ?? ""],
    ),
  );
  // The library logs to standard error; all of it also reaches us as errors.
  setLogVerbosity(logVerbosity.NONE);
  const closing = new AbortController();

  const statusOf = (error: unknown): StatusObject => {
    const status = toStatus(error, hidden);
    if (status.code === codes.INTERNAL) log(causeOf(error));
    return status;
  };

  const { idleMs = defaultIdleMs } = options;
  const openCalls = new OpenCalls(callLimit, idleMs);
  const running = new Set<Promise<void>>();

  /** Catches all that a handler throws: an uncaught error would end the process. */
  const streaming =
    <Call extends StreamingCall>(handler: (call: Call, watch: CallWatch) => Promise<void>) =>
    (call: Call): void => {
      const watch = new CallWatch(idleMs, closing.signal);
      call.on("cancelled", () => watch.cancelled());
      call.on("error", () => watch.cancelled());
      const done = handler(call, watch)
        .then(
          () => void call.end(),
          (error: unknown) => {
            if (!watch.signal.aborted) call.emit("error", statusOf(error));
            else {
              // Messages that the client has not read would stay in memory and delay the status.
              call.destroy();
              openCalls.end(call.metadata, statusOf(watch.signal.reason));
            }
          },
        )
        .finally(() => running.delete(done));
      running.add(done);
    };

  const unary =
    <Request, Response>(handler: (request: Request) => Promise<Response>) =>
    (call: { request: Request }, callback: (error: StatusObject | null, value?: Response) => void): void => {
      handler(call.request).then(
        (value) => callback(null, value),
        (error: unknown) => callback(statusOf(error)),
      );
    };

  // No child may go on computing when this process exits at once.
  const killChildren = (): void => exchanges.children.forEach((child) => child.kill("SIGKILL"));
  process.once("exit", killChildren);

  const server = new Server({
    ...channelOptions,
    ...keepaliveOptions(options.keepalive ?? defaultKeepalive),
    "grpc.max_connection_idle_ms": idleConnectionMs,
    interceptors: [openCalls.intercept],
  });
  server.addService(flightService, {
    listFlights: streaming((call: Parameters<typeof listFlights>[1], watch) => listFlights(store, call, watch)),
    getFlightInfo: unary((descriptor: Parameters<typeof getFlightInfo>[1]) => getFlightInfo(store, descriptor)),
    getSchema: unary((descriptor: Parameters<typeof getSchema>[1]) => getSchema(store, descriptor)),
    doGet: streaming((call: Parameters<typeof doGet>[1], watch) => doGet(store, call, watch)),
    doPut: streaming((call: Parameters<typeof doPut>[1], watch) => doPut(store, call, watch)),
    doExchange: streaming((call: Parameters<typeof exchange>[1], watch) => exchange(exchanges, call, watch)),
    doAction: streaming(async (call: Parameters<typeof send>[0] & StreamingCall & { request: { type: string } }) => {
      if (call.request.type !== listStages) throw new UsageError(`no such action; this server has ${listStages}`);
      await send(call, { body: messages.StageList.encode(describeStages(stages)) });
    }),
    listActions: streaming(async (call: Parameters<typeof send>[0] & StreamingCall) => {
      await send(call, { type: listStages, description: "All stages: one result, a StageList of protos/mbs/v1/stage.proto" });
    }),
  });

  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`${host}:${wanted}`, ServerCredentials.createInsecure(), (error, bound) => {
      if (error) reject(new InputOutputError(`cannot listen at ${options.listen}; is the port taken?`, {}, { cause: error }));
      else resolve(bound);
    });
  });
  return {
    port,
    async close() {
      closing.abort(new TryAgainError("the server is shutting down; call again later"));
      const shut = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
      const done = new AbortController();
      const late = delay(closeMs, undefined, { signal: done.signal }).catch(() => undefined);
      await Promise.race([Promise.all([...running, shut]), late]);
      done.abort();
      server.forceShutdown();
      killChildren();
      process.off("exit", killChildren);
    },
  };
}
