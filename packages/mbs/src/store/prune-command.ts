import { counted, formatBytes, parseOptions, totalBytes } from "@mbs/contracts";
import type { OptionTable } from "@mbs/contracts";
import { createReporter, optionsToFlags, printText, progressStyle } from "@mbs/host-cli";
import { formatTable } from "@mbs/reporting";
import { pruneStore } from "@mbs/shared-store";
import type { KeptArtifact, Pruned } from "@mbs/shared-store";
import type { Command } from "commander";
import { innerCommand } from "../commands/plain-command.ts";
import type { CommandContext } from "../commands/plain-command.ts";
import { parseAge } from "./ages.ts";
import { storeOptions, withStore } from "./store-options.ts";

const options = {
  ...storeOptions,
  olderThan: {
    kind: "text",
    placeholder: "AGE",
    description: "keep what is younger: a number with s, min, h, d or w",
    default: "7d",
    check: parseAge,
  },
  release: {
    kind: "list",
    placeholder: "RUN,…",
    optional: true,
    description: "runs that are over or will not go on: what they need is not kept any more",
  },
  dryRun: { kind: "flag", description: "say what would be removed, and remove nothing" },
} as const satisfies OptionTable;

const sized = (artifacts: readonly KeptArtifact[]): string =>
  `${counted(artifacts.length, "artifact")} of ${formatBytes(totalBytes(artifacts))}`;

function pruneText({ removed, needed, young, unfinished, released }: Pruned, age: string, dryRun: boolean): string {
  const table = formatTable({
    columns: [{ title: dryRun ? "would be removed" : "removed" }, { title: "size", numeric: true }, { title: "put" }],
    rows: removed.map(({ address, bytes, modified }) => [address, formatBytes(bytes), modified.toISOString().slice(0, 10)]),
  });
  const lines = [
    `${dryRun ? "would remove" : "removed"} ${sized(removed)}`,
    `${dryRun ? "would keep" : "kept"} ${sized(needed)} that runs need, and ${sized(young)} younger than ${age}`,
    ...(unfinished === undefined ? ["no right to look for puts that never ended"] : []),
    ...(unfinished ? [`${dryRun ? "would remove" : "removed"} ${counted(unfinished, "put")} that never ended`] : []),
    ...(released.length > 0 ? [`${dryRun ? "would release" : "released"} ${released.join(", ")}`] : []),
  ];
  return `${removed.length === 0 ? "" : `${table}\n`}${lines.join("\n")}\n`;
}

const sum = (artifacts: readonly KeptArtifact[]): object => ({ artifacts: artifacts.length, bytes: totalBytes(artifacts) });

function pruneJson(place: string, { removed, needed, young, unfinished, released }: Pruned, dryRun: boolean): string {
  const report = {
    place,
    dryRun,
    removed,
    ...sum(removed),
    needed: sum(needed),
    young: sum(young),
    unfinished: unfinished ?? null,
    released,
  };
  return `${JSON.stringify(report, null, 2)}\n`;
}

/** `mbs store prune` */
export function pruneCommand({ signal }: CommandContext): Command {
  const command = innerCommand(
    "prune",
    "Remove artifacts that are old and that no run needs, and what puts that never ended have left.",
    [
      "mbs store prune --store /mnt/shared/store --dry-run",
      "mbs store prune --store s3://bucket/prefix --older-than 30d",
      "mbs store prune --store s3://bucket/prefix --release demo-1,demo-2",
    ],
  );
  for (const flag of optionsToFlags(options)) command.addOption(flag);
  return command.action(async () => {
    const { quiet = false, debug: _debug, ...given } = command.opts<{ quiet?: boolean; debug?: boolean }>();
    const { store: place, json, olderThan, release = [], dryRun } = parseOptions(options, given, "store prune");
    const reporter = createReporter("mbs store prune", progressStyle(quiet));
    try {
      const pruned = await withStore(place, (store) =>
        pruneStore(store, {
          olderThan: parseAge(olderThan),
          release,
          dryRun,
          signal,
          onRemoved: (done, total) => reporter.progress({ activity: "removing", done, total, unit: "artifacts" }),
        }),
      );
      reporter.stop();
      await printText(json ? pruneJson(place, pruned, dryRun) : pruneText(pruned, olderThan, dryRun));
    } finally {
      reporter.stop();
    }
  });
}
