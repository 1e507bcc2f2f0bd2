import { counted, formatBytes, parseOptions, printable, totalBytes } from "@mbs/contracts";
import type { OptionTable } from "@mbs/contracts";
import { createReporter, optionsToFlags, printText, progressStyle } from "@mbs/host-cli";
import { formatTable } from "@mbs/reporting";
import { artifactKind, neededBy, readOverview } from "@mbs/shared-store";
import type { KeptArtifact, SharedStore, StoreOverview } from "@mbs/shared-store";
import type { Command } from "commander";
import { innerCommand } from "../commands/plain-command.ts";
import type { CommandContext } from "../commands/plain-command.ts";
import { formatAge } from "./ages.ts";
import { storeOptions, withStore } from "./store-options.ts";

const options = {
  ...storeOptions,
  kinds: { kind: "flag", description: "look into each artifact for its kind, a request each", default: true },
} as const satisfies OptionTable;

/** Kinds that are asked for at a time. */
const together = 16;

/** The kind of each artifact; undefined for one whose start is damaged. */
async function kindsOf(
  store: SharedStore,
  artifacts: readonly KeptArtifact[],
  signal: AbortSignal,
  onDone: (done: number) => void,
): Promise<ReadonlyMap<string, string | undefined>> {
  const kinds = new Map<string, string | undefined>();
  for (let start = 0; start < artifacts.length; start += together) {
    const some = artifacts.slice(start, start + together);
    const found = await Promise.all(some.map((artifact) => artifactKind(store, artifact, { signal })));
    for (const [index, { address }] of some.entries()) kinds.set(address, found[index]);
    onDone(kinds.size);
  }
  return kinds;
}

type Kinds = ReadonlyMap<string, string | undefined> | undefined;

function listText({ artifacts, needs, now }: StoreOverview, kinds: Kinds, place: string): string {
  const runs = neededBy(needs);
  const age = (date: Date): string => formatAge(now.getTime() - date.getTime());
  const table = formatTable({
    columns: [
      { title: "address" },
      ...(kinds ? [{ title: "kind" }] : []),
      { title: "size", numeric: true },
      { title: "age", numeric: true },
      { title: "needed by" },
    ],
    rows: artifacts.map(({ address, bytes, modified }) => [
      address,
      ...(kinds ? [printable(kinds.get(address) ?? "damaged")] : []),
      formatBytes(bytes),
      age(modified),
      (runs.get(address) ?? []).join(", "),
    ]),
  });
  const there = new Set(artifacts.map(({ address }) => address));
  const needed = artifacts.filter(({ address }) => runs.has(address));
  const lines = [
    `${counted(artifacts.length, "artifact")} of ${formatBytes(totalBytes(artifacts))} in ${place}; ${needed.length} of ${formatBytes(totalBytes(needed))} needed by ${counted(needs.length, "run")}`,
    ...needs.map(({ run, addresses, written, note }) => {
      const missing = addresses.filter((address) => !there.has(address)).length;
      const absent = missing === 0 ? "" : `, ${missing} not there yet or any more`;
      return `  ${run}${note === undefined ? "" : ` (${printable(note)})`}: ${counted(addresses.length, "artifact")}${absent}, recorded ${age(written)} ago`;
    }),
  ];
  return `${artifacts.length === 0 ? "" : `${table}\n`}${lines.join("\n")}\n`;
}

function listJson({ artifacts, needs, now }: StoreOverview, kinds: Kinds, place: string): string {
  const runs = neededBy(needs);
  return `${JSON.stringify(
    {
      place,
      now,
      artifacts: artifacts.map(({ address, bytes, modified }) => ({
        address,
        ...(kinds && { kind: kinds.get(address) ?? null }),
        bytes,
        modified,
        neededBy: runs.get(address) ?? [],
      })),
      bytes: totalBytes(artifacts),
      runs: needs,
    },
    null,
    2,
  )}\n`;
}

/** `mbs store list` */
export function listCommand({ signal }: CommandContext): Command {
  const command = innerCommand(
    "list",
    "List the artifacts of a store: address, kind, size, age and the runs that need each; then the runs.",
    [
      "mbs store list --store /mnt/shared/store",
      "mbs store list --store s3://bucket/prefix --no-kinds",
      "mbs store list --store out/run/artifacts --json",
    ],
  );
  for (const flag of optionsToFlags(options)) command.addOption(flag);
  return command.action(async () => {
    const { quiet = false, debug: _debug, ...given } = command.opts<{ quiet?: boolean; debug?: boolean }>();
    const { store: place, json, kinds: wanted } = parseOptions(options, given, "store list");
    const reporter = createReporter("mbs store list", progressStyle(quiet));
    try {
      const text = await withStore(place, async (store) => {
        const overview = await readOverview(store, { signal });
        const total = overview.artifacts.length;
        const progress = (done: number): void =>
          reporter.progress({ activity: "looking into artifacts", done, total, unit: "artifacts" });
        const kinds = wanted ? await kindsOf(store, overview.artifacts, signal, progress) : undefined;
        return (json ? listJson : listText)(overview, kinds, place);
      });
      reporter.stop();
      await printText(text);
    } finally {
      reporter.stop();
    }
  });
}
