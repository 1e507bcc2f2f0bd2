import { once } from "node:events";
import { parseOptions } from "@mbs/contracts";
import type { OptionTable } from "@mbs/contracts";
import { optionsToFlags } from "@mbs/host-cli";
import { serve } from "@mbs/host-grpc";
import { builtInResources, findResource } from "@mbs/pipeline";
import type { Command } from "commander";
import { plainCommand } from "./plain-command.ts";
import type { CommandContext } from "./plain-command.ts";
import { loadStages } from "../stages.ts";

const options = {
  listen: {
    kind: "text",
    placeholder: "HOST:PORT",
    description: "loopback address; port 0 takes a free one",
    default: "127.0.0.1:8815",
  },
  store: { kind: "text", placeholder: "FOLDER", description: "folder for artifacts", default: "mbs-store" },
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
  children: { kind: "integer", description: "stages at one time; further calls wait (one a core)", minimum: 1, optional: true },
  threads: { kind: "integer", description: "threads of each stage (one a core)", minimum: 1, optional: true },
  idleTimeout: {
    kind: "integer",
    description: "seconds that a call waits for a client which neither sends nor reads",
    minimum: 60,
    maximum: 86_400,
    default: 600,
  },
} as const satisfies OptionTable;

/** `mbs serve`: runs until it is stopped. */
export function serveCommand({ signal }: CommandContext): Command {
  const command = plainCommand("serve", "Offer the stages and a store of artifacts over Arrow Flight (gRPC), on loopback.", [
    "mbs serve --listen 127.0.0.1:8815 --store store/ --model-root models/ --corpus-root corpora/",
    "mbs capture --model models/M --via grpc://127.0.0.1:8815 < segments.arrow > statistics.arrow",
  ]);
  for (const flag of optionsToFlags(options)) command.addOption(flag);
  return command.action(async () => {
    const { quiet = false, debug: _debug, ...given } = command.opts<{ quiet?: boolean; debug?: boolean }>();
    const values = parseOptions(options, given, "serve");
    const say = (line: string): void => {
      if (!quiet) process.stderr.write(`mbs serve: ${line}\n`);
    };
    const server = await serve({
      ...values,
      roots: {
        model: values.modelRoot,
        corpus: values.corpusRoot,
        distribution: values.distributionRoot,
        imatrix: values.imatrixRoot,
        tasks: values.tasksRoot,
        rows: values.rowsRoot,
      },
      idleMs: values.idleTimeout * 1000,
      stages: [...(await loadStages()).values()],
      builtIn: builtInResources,
      addressOf: async (kind, path) => (await findResource(kind, path)).address,
      command: [process.execPath, ...process.execArgv, process.argv[1] ?? ""],
      log: say,
    });
    say(`listening at grpc://${values.listen.replace(/:\d+$/, `:${server.port}`)}`);
    try {
      if (!signal.aborted) await once(signal, "abort");
    } finally {
      await server.close();
    }
    signal.throwIfAborted();
  });
}
