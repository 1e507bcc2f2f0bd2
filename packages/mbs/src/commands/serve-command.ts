import { once } from "node:events";
import { mostThreads, parseBytes, parseOptions, UsageError } from "@mbs/contracts";
import type { OptionTable, OptionValues } from "@mbs/contracts";
import { optionsToFlags, writeLogLine } from "@mbs/host-cli";
import type { LogLine } from "@mbs/host-cli";
import { serve } from "@mbs/host-grpc";
import type { TlsFiles } from "@mbs/host-grpc";
import { builtInResources, findResource } from "@mbs/pipeline";
import type { Command } from "commander";
import { plainCommand } from "./plain-command.ts";
import type { CommandContext } from "./plain-command.ts";
import { observeOptions, openObserver } from "../observe/open-observer.ts";
import { loadStages } from "../stages.ts";
import { parseAge } from "../store/ages.ts";

/** Milliseconds: a client may put inputs, and call the stage that reads them only when all are there. */
const leastExpiry = 3_600_000;

/** Milliseconds. @throws {UsageError} on what is no age, or too short a one */
function parseExpiry(text: string): number {
  const age = parseAge(text);
  if (age < leastExpiry)
    throw new UsageError(`--expire ${text} is too short for what clients put before they call; give 1h or more`);
  return age;
}

const options = {
  listen: {
    kind: "text",
    placeholder: "HOST:PORT",
    description: "address; port 0 takes a free one; off loopback with TLS, for known clients alone",
    default: "127.0.0.1:8815",
  },
  cert: {
    kind: "text",
    placeholder: "FILE",
    description: "certificate for TLS (PEM); read again when it changes",
    optional: true,
  },
  key: { kind: "text", placeholder: "FILE", description: "key of --cert (PEM)", optional: true },
  clientCa: {
    kind: "text",
    placeholder: "FILE",
    description: "take only clients with a certificate that this authority has signed (PEM)",
    optional: true,
  },
  tokens: {
    kind: "text",
    placeholder: "FILE",
    description: "take only calls with a token of this file; each line: name, scopes (run,read,write,delete), token",
    optional: true,
  },
  insecure: { kind: "flag", description: "listen off loopback without TLS, or for everyone who reaches the port" },
  store: { kind: "text", placeholder: "FOLDER", description: "folder for artifacts", default: "mbs-store" },
  storeLimit: {
    kind: "text",
    placeholder: "SIZE",
    description: "bytes that the store may have, e.g. 500GiB; what would go beyond it is refused (any number)",
    optional: true,
    check: (text: string) => parseBytes(text, "--store-limit"),
  },
  expire: {
    kind: "text",
    placeholder: "AGE",
    description: "remove artifacts that no call has put or read for so long, from 1h on: a number with s, min, h, d or w (never)",
    optional: true,
    check: parseExpiry,
  },
  modelRoot: { kind: "text", placeholder: "FOLDER", description: "folder whose model folders clients may name", optional: true },
  corpusRoot: { kind: "text", placeholder: "FOLDER", description: "folder whose corpora clients may name", optional: true },
  distributionRoot: {
    kind: "text",
    placeholder: "FOLDER",
    description: "folder whose distributions clients may name; presets need none",
    optional: true,
  },
  imatrixRoot: {
    kind: "text",
    placeholder: "FOLDER",
    description: "folder whose importance matrices clients may name",
    optional: true,
  },
  tasksRoot: {
    kind: "text",
    placeholder: "FOLDER",
    description: "folder whose folders of tasks clients may name",
    optional: true,
  },
  rowsRoot: {
    kind: "text",
    placeholder: "FOLDER",
    description: "folder whose folders of tasks' rows clients may name",
    optional: true,
  },
  children: {
    kind: "integer",
    description: "stages at one time; further calls wait (one a core)",
    minimum: 1,
    maximum: mostThreads,
    optional: true,
  },
  threads: {
    kind: "integer",
    description: "threads of each stage (one a core)",
    minimum: 1,
    maximum: mostThreads,
    optional: true,
  },
  clientCalls: { kind: "integer", description: "open calls of one client, of 100 in all (50)", minimum: 1, optional: true },
  clientThreads: {
    kind: "integer",
    description: "threads of the stages that one client runs at one time; its further calls wait (any number)",
    minimum: 1,
    optional: true,
  },
  callBytes: {
    kind: "text",
    placeholder: "SIZE",
    description: "bytes that a call may send, e.g. 50GiB (any number)",
    optional: true,
    check: (text: string) => parseBytes(text, "--call-bytes"),
  },
  idleTimeout: {
    kind: "integer",
    description: "seconds that a call waits for a client which neither sends nor reads",
    minimum: 60,
    maximum: 86_400,
    default: 600,
  },
  ...observeOptions,
} as const satisfies OptionTable;

/** The files of TLS; undefined without. */
function tlsFiles({ cert, key, clientCa }: OptionValues<typeof options>): TlsFiles | undefined {
  if (cert !== undefined && key !== undefined) return { cert, key, clientCa };
  if (cert !== undefined || key !== undefined) throw new UsageError("--cert and --key go together; give both, or none");
  if (clientCa !== undefined) throw new UsageError("--client-ca is for TLS; give --cert and --key too");
  return undefined;
}

/** `mbs serve`: runs until it is stopped. */
export function serveCommand({ signal }: CommandContext): Command {
  const command = plainCommand("serve", "Offer the stages and a store of artifacts over Arrow Flight (gRPC).", [
    "mbs serve --listen 127.0.0.1:8815 --store store/ --model-root models/ --corpus-root corpora/",
    "mbs serve --listen 0.0.0.0:8815 --cert server.pem --key server.key --tokens tokens --store store/",
    "mbs capture --model models/M --via grpc://127.0.0.1:8815 < segments.arrow > statistics.arrow",
  ]);
  for (const flag of optionsToFlags(options)) command.addOption(flag);
  return command.action(async () => {
    const { quiet = false, debug: _debug, ...given } = command.opts<{ quiet?: boolean; debug?: boolean }>();
    const values = parseOptions(options, given, "serve");
    const say = (message: string, level: LogLine["level"], event: string): void => {
      if (quiet) return;
      if (values.log === "json") writeLogLine("mbs serve", { level, event, message });
      else process.stderr.write(`mbs serve: ${message}\n`);
    };
    const note = (line: string): void => say(line, "info", "note");
    const warn = (line: string): void => say(line, "warn", "warning");
    const tls = tlsFiles(values);
    const { callBytes, storeLimit, expire } = values;
    const observing = await openObserver(values, { name: "mbs serve", note, warn }, false);
    const server = await serve({
      ...values,
      tls,
      callsPerClient: values.clientCalls,
      threadsPerClient: values.clientThreads,
      callBytes: callBytes === undefined ? undefined : parseBytes(callBytes, "--call-bytes"),
      roots: {
        model: values.modelRoot,
        corpus: values.corpusRoot,
        distribution: values.distributionRoot,
        imatrix: values.imatrixRoot,
        tasks: values.tasksRoot,
        rows: values.rowsRoot,
      },
      storeLimits: {
        bytes: storeLimit === undefined ? undefined : parseBytes(storeLimit, "--store-limit"),
        expireMs: expire === undefined ? undefined : parseExpiry(expire),
      },
      observer: observing.observer,
      idleMs: values.idleTimeout * 1000,
      stages: [...(await loadStages()).values()],
      builtIn: builtInResources,
      addressOf: async (kind, path) => (await findResource(kind, path)).address,
      command: [process.execPath, ...process.execArgv, process.argv[1] ?? ""],
      log: warn,
    });
    observing.watch(server);
    note(`listening at ${server.address}`);
    try {
      if (!signal.aborted) await once(signal, "abort");
    } finally {
      await server.close();
      await observing.close();
    }
    signal.throwIfAborted();
  });
}
