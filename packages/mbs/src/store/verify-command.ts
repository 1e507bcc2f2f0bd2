import { BadDataError, counted, parseOptions } from "@mbs/contracts";
import type { OptionTable } from "@mbs/contracts";
import { createReporter, optionsToFlags, printText, progressStyle } from "@mbs/host-cli";
import type { Reporter } from "@mbs/host-cli";
import { verifyArtifact } from "@mbs/shared-store";
import type { SharedStore } from "@mbs/shared-store";
import { Argument } from "commander";
import type { Command } from "commander";
import { innerCommand } from "../commands/plain-command.ts";
import type { CommandContext } from "../commands/plain-command.ts";
import { storeOptions, withStore } from "./store-options.ts";

const options = {
  ...storeOptions,
  removeDamaged: { kind: "flag", description: "remove what is damaged, so that it can be made and put again" },
} as const satisfies OptionTable;

/** Artifacts that are read at a time: the answer to one request takes as long as reading a small one. */
const together = 4;

interface Damaged {
  readonly address: string;
  /** Where it lies, and what is wrong. */
  readonly problem: string;
  readonly removed: boolean;
}

interface Verified {
  readonly checked: number;
  readonly damaged: readonly Damaged[];
}

async function addressesOf(store: SharedStore, signal: AbortSignal): Promise<string[]> {
  const addresses: string[] = [];
  for await (const { address } of store.list({ signal })) addresses.push(address);
  return addresses.toSorted();
}

/** What is wrong with an artifact: where, and at which byte. The remedy is given once, at the end. */
const problemOf = ({ message }: BadDataError): string => message.split(";")[0] ?? message;

async function verify(
  store: SharedStore,
  addresses: readonly string[],
  { signal, isRemoving, progress }: { signal: AbortSignal; isRemoving: boolean; progress: Reporter["progress"] },
): Promise<Verified> {
  const verifyOne = async (address: string): Promise<Damaged | undefined> => {
    try {
      await verifyArtifact(store, address, { signal });
      return undefined;
    } catch (cause) {
      if (!(cause instanceof BadDataError)) throw cause;
      if (isRemoving) await store.remove(address, { signal });
      return { address, problem: problemOf(cause), removed: isRemoving };
    }
  };
  const damaged: Damaged[] = [];
  for (let start = 0; start < addresses.length; start += together) {
    progress({ activity: "reading artifacts", done: start, total: addresses.length, unit: "artifacts" });
    const found = await Promise.all(addresses.slice(start, start + together).map(verifyOne));
    damaged.push(...found.filter((one) => one !== undefined));
  }
  return { checked: addresses.length, damaged };
}

/** `mbs store verify` */
export function verifyCommand({ signal }: CommandContext): Command {
  const command = innerCommand(
    "verify",
    "Read the artifacts of a store and compare each with its address. Names what is damaged and ends with 65 where something is.",
    [
      "mbs store verify --store /mnt/shared/store",
      "mbs store verify --store s3://bucket/prefix ADDRESS ADDRESS",
      "mbs store verify --store s3://bucket/prefix --remove-damaged",
    ],
  ).addArgument(new Argument("[addresses...]", "artifacts to read; all of the store without"));
  for (const flag of optionsToFlags(options)) command.addOption(flag);
  return command.action(async (given: readonly string[]) => {
    const { quiet = false, debug: _debug, ...rest } = command.opts<{ quiet?: boolean; debug?: boolean }>();
    const { store: place, json, removeDamaged: isRemoving } = parseOptions(options, rest, "store verify");
    const reporter = createReporter("mbs store verify", progressStyle(quiet));
    try {
      const found = await withStore(place, async (store) => {
        const addresses = given.length > 0 ? [...new Set(given)] : await addressesOf(store, signal);
        return verify(store, addresses, { signal, isRemoving, progress: reporter.progress });
      });
      reporter.stop();
      const { checked, damaged } = found;
      const lines = [
        ...damaged.map(({ problem, removed }) => `${problem}${removed ? ", removed" : ""}`),
        `${counted(checked, "artifact")} read, ${damaged.length} damaged`,
      ];
      await printText(json ? `${JSON.stringify({ place, ...found }, null, 2)}\n` : `${lines.join("\n")}\n`);
      if (damaged.length === 0) return;
      const remedy = isRemoving
        ? "they are removed; what needs them makes them again"
        : "--remove-damaged removes them, then what needs them makes them again";
      throw new BadDataError(`${damaged.length} of ${counted(checked, "artifact")} in ${place} damaged; ${remedy}`, {
        damaged: damaged.length,
      });
    } finally {
      reporter.stop();
    }
  });
}
