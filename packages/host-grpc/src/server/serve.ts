import { tmpdir } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { logVerbosity, Server, setLogVerbosity, status as codes } from "@grpc/grpc-js";
import type { StatusObject } from "@grpc/grpc-js";
import { removeTemporaryFolders } from "@mbs/artifacts";
import { availableProcessors, MbsError, noObserver, resourceKinds, TryAgainError } from "@mbs/contracts";
import type { Observer, ResourceKind, Stage } from "@mbs/contracts";
import { bindServer } from "./bind-server.ts";
import { admit } from "./access.ts";
import { CallHandlers } from "./call-handlers.ts";
import type { ExchangeServer } from "./exchange.ts";
import { flightCalls } from "./flight-calls.ts";
import { hideFolders } from "./hidden-folders.ts";
import { isLoopback } from "../protocol/address.ts";
import { parseListenAddress } from "./listen-address.ts";
import { OpenCalls } from "./open-calls.ts";
import { withUnreadable } from "./unreadable-requests.ts";
import { defaultReloadMs, ReloadedFiles } from "./reloaded-files.ts";
import { openTls, plaintext } from "./server-tls.ts";
import type { TlsFiles } from "./server-tls.ts";
import { Tokens } from "./tokens.ts";
import { ChildSlots } from "./child-slots.ts";
import { flightService } from "../protocol/flight-service.ts";
import type { ResourceRoots } from "./served-resources.ts";
import { prepareStore, requireRoot } from "./served-folders.ts";
import type { StoreLimits } from "./served-store.ts";
import { toStatus } from "../protocol/status.ts";
import { channelOptions, defaultIdleMs, defaultKeepalive, idleConnectionMs, keepaliveOptions } from "../protocol/channel.ts";
import type { Keepalive } from "../protocol/channel.ts";

/** Most calls that are open at one time, those that wait for a free slot included: each may hold a window of data in memory. */
export const callLimit = 100;

/** Most calls on one connection: also refused ones count here, for as long as their client keeps its side open. */
export const streamLimit = 200;

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
  /** Certificate and key; without them calls are not encrypted. */
  readonly tls?: TlsFiles | undefined;
  /** File of the tokens that clients must have; without one no token is asked for. */
  readonly tokens?: string | undefined;
  /** Listens off loopback without TLS, or without knowing its clients. */
  readonly insecure?: boolean | undefined;
  /** Milliseconds between two looks at the files of certificates and tokens. */
  readonly reloadMs?: number | undefined;
  /** Most calls that one client has open at one time. Default: half of all, so that a second client has places too. */
  readonly callsPerClient?: number | undefined;
  /** Most threads of the stages that one client runs at one time; further calls wait. Default: any number. */
  readonly threadsPerClient?: number | undefined;
  /** Most bytes that a call may send. Default: any number. */
  readonly callBytes?: number | undefined;
  /** Bytes that the store may have, and how long it keeps what no call uses. */
  readonly storeLimits?: StoreLimits | undefined;
  /** Gets reports of every call and stage. */
  readonly observer?: Observer | undefined;
  /** Called with warnings, and with the stack of internal errors, which clients do not see. */
  readonly log?: (line: string) => void;
}

export interface RunningServer {
  readonly port: number;
  /** As clients give it: "grpcs://0.0.0.0:8815". */
  readonly address: string;
  /** Bytes of all artifacts. */
  readonly storeBytes: number;
  /** Calls whose stage waits for its turn. */
  readonly waitingCalls: number;
  /** Ends all calls at once (UNAVAILABLE) and waits for their children, at most two seconds. */
  close(): Promise<void>;
}

/** Milliseconds in which a server that is closed ends its calls and their children. */
const closeMs = 2000;

/** The stack of an error, and what the process of a stage had said before it failed. */
function causeOf(error: unknown): string {
  const said = error instanceof MbsError ? String(error.facts["said"] ?? "").trim() : "";
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return said === "" ? stack : `${stack}\nthe process had said:\n${said}`;
}

const rightTokens = (contents: readonly Buffer[] | undefined): Tokens => Tokens.ofRightLines(contents?.[0]?.toString() ?? "");

async function openTokens(path: string, reloadMs: number, log: (line: string) => void): Promise<ReloadedFiles<Tokens>> {
  const parse = ([bytes]: readonly Buffer[]): Tokens => Tokens.parse(bytes?.toString() ?? "", path);
  return ReloadedFiles.open({ "--tokens": path }, parse, path, reloadMs, log, { salvage: rightTokens });
}

/** Files that are looked at as long as the server runs. */
async function openFiles({ tls, tokens: path, reloadMs = defaultReloadMs, log = () => undefined }: ServeOptions) {
  const { credentials, close } = tls === undefined ? plaintext : await openTls(tls, reloadMs, log);
  try {
    const tokens = path === undefined ? undefined : await openTokens(path, reloadMs, log);
    return {
      credentials,
      tokens,
      close: () => {
        tokens?.close();
        close();
      },
    };
  } catch (error) {
    close();
    throw error;
  }
}

/** The store, the folders and the limits of a server. */
async function openExchanges(options: ServeOptions, log: (line: string) => void): Promise<ExchangeServer> {
  const roots = new Map<string, string>();
  for (const kind of resourceKinds) {
    const root = await requireRoot(kind, options.roots?.[kind]);
    if (root !== undefined) roots.set(kind, root);
  }
  const folder = await prepareStore(options.store);
  await removeTemporaryFolders();
  // loaded here: clients, which import this file too, do not need it
  const { ServedStore } = await import("./served-store.ts");
  const { threadsPerClient = Infinity, callBytes = Infinity } = options;
  return {
    stages: options.stages,
    store: await ServedStore.open(folder, options.storeLimits ?? {}, log),
    resources: { roots: Object.fromEntries(roots), builtIn: options.builtIn ?? {}, addressOf: options.addressOf },
    command: options.command,
    slots: new ChildSlots(options.children ?? availableProcessors(), threadsPerClient),
    threads: Math.min(options.threads ?? availableProcessors(), threadsPerClient),
    callBytes,
    hide: hideFolders(
      new Map([
        [tmpdir(), "the server's temporary folder"],
        ...[...roots].map(([kind, root]) => [root, `the server's --${kind}-root`] as const),
        [folder, "the store"],
      ]),
    ),
    children: new Set(),
  };
}

/** What a server that listens consists of. */
interface ServerParts {
  readonly server: Server;
  readonly exchanges: ExchangeServer;
  readonly files: Awaited<ReturnType<typeof openFiles>>;
  readonly openCalls: OpenCalls;
  readonly handlers: CallHandlers;
  /** Aborted with the reason when the server shuts down. */
  readonly closing: AbortController;
}

function runningServer(port: number, address: string, parts: ServerParts): RunningServer {
  const { server, exchanges, files, openCalls, handlers, closing } = parts;
  const { store, slots, children } = exchanges;
  // No child may go on computing when this process exits at once.
  const killChildren = (): void => children.forEach((child) => child.kill("SIGKILL"));
  process.once("exit", killChildren);
  store.watch();
  return {
    port,
    address,
    get storeBytes() {
      return store.bytes;
    },
    get waitingCalls() {
      return slots.waiting;
    },
    async close() {
      store.close();
      const reason = new TryAgainError("the server is shutting down; call again later");
      closing.abort(reason);
      openCalls.endForeign(toStatus(reason));
      files.close();
      const shut = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
      const done = new AbortController();
      const late = delay(closeMs, undefined, { signal: done.signal }).catch(() => undefined);
      await Promise.race([Promise.all([handlers.ended(), shut]), late]);
      done.abort();
      server.forceShutdown();
      killChildren();
      process.off("exit", killChildren);
    },
  };
}

/**
 * Starts a server of Arrow Flight for stages and artifacts.
 *
 * @throws {UsageError} on an address that is none, a root that is no folder, or a file of certificates or tokens that is wrong
 * @throws {DeniedError} off loopback where that is not safe, where the store is no folder to write to, or on a port of others
 * @throws {InputOutputError} where the port is taken, or the address is none of this machine
 */
export async function serve(options: ServeOptions): Promise<RunningServer> {
  const { tls, insecure = false, idleMs = defaultIdleMs, callsPerClient = callLimit / 2, log = () => undefined } = options;
  const knowsClients = options.tokens !== undefined || tls?.clientCa !== undefined;
  const { host, port: wanted } = parseListenAddress(options.listen, { isTls: tls !== undefined, knowsClients, insecure });
  const exchanges = await openExchanges(options, log);
  // The library logs to standard error; all of it also reaches us as errors.
  setLogVerbosity(logVerbosity.NONE);
  const closing = new AbortController();
  const openCalls = new OpenCalls(
    { calls: callLimit, callsPerClient, idleMs },
    (path, metadata) => admit(path, metadata, files.tokens?.current),
    options.observer ?? noObserver,
  );
  const statusOf = (error: unknown): StatusObject => {
    const status = toStatus(error, exchanges.hide);
    if (status.code === codes.INTERNAL) log(causeOf(error));
    return status;
  };
  const handlers = new CallHandlers({ openCalls, idleMs, closing: closing.signal, statusOf });
  const server = new Server({
    ...channelOptions,
    ...keepaliveOptions(options.keepalive ?? defaultKeepalive),
    "grpc.max_connection_idle_ms": idleConnectionMs,
    "grpc.max_concurrent_streams": streamLimit,
    interceptors: [openCalls.intercept],
  });
  server.addService(withUnreadable(flightService), flightCalls(exchanges, handlers));
  // loaded here: clients, which import this file too, do not need it
  const { addStandardServices } = await import("./standard-services.ts");
  addStandardServices(server);
  // behind all that may fail: from here on they are looked at
  const files = await openFiles(options);
  if (!isLoopback(host) && tls === undefined)
    log(`calls to ${host} are not encrypted; give --cert and --key in place of --insecure`);
  if (!isLoopback(host) && !knowsClients) log(`anyone who reaches ${host}:${wanted} may call; give --tokens or --client-ca`);

  const port = await bindServer(server, `${host}:${wanted}`, files.credentials, options.listen).catch((error: unknown) => {
    files.close();
    throw error;
  });
  const address = `${tls === undefined ? "grpc" : "grpcs"}://${host}:${port}`;
  return runningServer(port, address, { server, exchanges, files, openCalls, handlers, closing });
}
