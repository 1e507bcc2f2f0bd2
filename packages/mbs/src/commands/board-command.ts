import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { systemError } from "@mbs/artifacts";
import { parseOptions, UsageError } from "@mbs/contracts";
import type { OptionTable } from "@mbs/contracts";
import { createReporter, optionsToFlags, progressStyle } from "@mbs/host-cli";
import { openBoard } from "@mbs/pipeline";
import type { Command } from "commander";
import { plainCommand } from "./plain-command.ts";
import type { CommandContext } from "./plain-command.ts";
import { placeOptions } from "./queue-options.ts";

const { queue, queuePasswordFile, queueCa } = placeOptions;

const shortestToken = 16;

const options = {
  queue: { ...queue, optional: false },
  queuePasswordFile,
  queueCa,
  port: { kind: "integer", minimum: 0, maximum: 65_535, default: 8816, description: "port on loopback; 0 takes a free one" },
  tokenFile: {
    kind: "text",
    placeholder: "FILE",
    description: `file whose first line is the token that a reader gives, ${shortestToken} characters or more`,
  },
} as const satisfies OptionTable;

async function readToken(path: string): Promise<string> {
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw systemError(cause, "read (--token-file)", path);
  });
  const token = text.split(/\r?\n/)[0] ?? "";
  if (token.length >= shortestToken && /^[!-~]+$/.test(token)) return token;
  throw new UsageError(
    `the first line of ${path} is no token: ${shortestToken} characters or more, without spaces; make one with openssl rand -hex 24`,
  );
}

/** `mbs board`: shows the jobs of a queue in a browser until it is stopped. */
export function boardCommand({ signal }: CommandContext): Command {
  const command = plainCommand("board", "Show the jobs of a queue in a browser, on loopback and behind a token.", [
    "mbs board --queue redis://head:6379 --queue-password-file password --token-file token",
    "mbs board --queue redis://head:6379 --port 9000 --token-file token",
  ]);
  for (const flag of optionsToFlags(options)) command.addOption(flag);
  return command.action(async () => {
    const { quiet = false, debug: _debug, ...given } = command.opts<{ quiet?: boolean; debug?: boolean }>();
    const values = parseOptions(options, given, "board");
    const reporter = createReporter("mbs board", progressStyle(quiet));
    const board = await openBoard({
      url: values.queue,
      passwordFile: values.queuePasswordFile,
      caFile: values.queueCa,
      port: values.port,
      token: await readToken(values.tokenFile),
      warn: reporter.warn,
    });
    try {
      reporter.note(`shows ${values.queue} at ${board.url}; any user name, and the token as password`);
      if (!signal.aborted) await once(signal, "abort");
    } finally {
      await board.close();
      reporter.stop();
    }
  });
}
