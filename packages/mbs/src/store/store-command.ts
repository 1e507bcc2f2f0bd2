import { UsageError } from "@mbs/contracts";
import { commandOutput } from "@mbs/host-cli";
import type { Command } from "commander";
import { plainCommand } from "../commands/plain-command.ts";
import type { CommandContext } from "../commands/plain-command.ts";
import { listCommand } from "./list-command.ts";
import { pruneCommand } from "./prune-command.ts";
import { verifyCommand } from "./verify-command.ts";

/** `mbs store`: what people do with a shared store; workers use it by themselves. */
export function storeCommand(context: CommandContext): Command {
  const command = plainCommand("store", "List, verify and prune a store of artifacts that several machines share.", [
    "mbs store list --store /mnt/shared/store",
    "mbs store verify --store s3://bucket/prefix",
    "mbs store prune --store s3://bucket/prefix --older-than 30d --dry-run",
  ])
    .helpCommand(false)
    // without a command, commander would write all of the help to standard error
    .configureOutput({ ...commandOutput, writeErr: () => undefined })
    .exitOverride((error) => {
      if (error.code === "commander.help") throw new UsageError("which of list, verify and prune? mbs store --help shows them");
      throw error;
    });
  for (const inner of [listCommand, verifyCommand, pruneCommand]) command.addCommand(inner(context));
  return command;
}
