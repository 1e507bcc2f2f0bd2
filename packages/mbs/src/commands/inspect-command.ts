import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { requireKind, requireVersion } from "@mbs/artifacts";
import type { ArtifactKind } from "@mbs/artifacts";
import { UsageError, parseOptions, printable } from "@mbs/contracts";
import type { ArtifactStream, OptionTable } from "@mbs/contracts";
import { createReporter, openInput, optionsToFlags, printText, progressStyle, standardStream } from "@mbs/host-cli";
import { formatTable } from "@mbs/reporting";
import { Argument } from "commander";
import type { Command } from "commander";
import { ggufJson, ggufText } from "../results/gguf-inspection.ts";
import { inspectRows, inspections } from "../results/inspection.ts";
import type { InspectionRow } from "../results/inspection.ts";
import { plainCommand } from "./plain-command.ts";
import type { CommandContext } from "./plain-command.ts";

const options = {
  json: { kind: "flag", description: "print JSON" },
  rows: { kind: "integer", description: "maximum number of rows of the summary; 0 for all", minimum: 0, default: 40 },
} as const satisfies OptionTable;

/**
 * The kind of an artifact; undefined for a third-party kind.
 *
 * @throws as requireKind, on another version or other columns of a known kind
 */
function artifactKindOf(stream: ArtifactStream): ArtifactKind | undefined {
  const { kind, version } = stream.schema;
  requireVersion(kind, version);
  return Object.hasOwn(inspections, kind) ? requireKind(stream, [kind as ArtifactKind]) : undefined;
}

function table(rows: readonly InspectionRow[], limit: number): string {
  const [first] = rows;
  if (!first) return "no rows\n";
  const columns = Object.entries(first).map(([title, cell]) => ({ title, numeric: typeof cell === "number" }));
  const shown = limit === 0 ? rows : rows.slice(0, limit);
  const text = formatTable({
    columns,
    rows: shown.map((row) => columns.map(({ title }) => printable(String(row[title] ?? "")))),
  });
  return shown.length < rows.length ? `${text}… and ${rows.length - shown.length} more (--rows 0 shows all)\n` : text;
}

/** What to name in place of a folder. */
function folderRefusal(path: string, names: readonly string[]): UsageError {
  const artifact = names.find((name) => name.endsWith(".arrow"));
  const remedy =
    artifact !== undefined
      ? `name one in it, such as ${join(path, artifact)}`
      : names.includes("mbs.json")
        ? `how this model was made stands in ${join(path, "mbs.json")}, and mbs card ${path} describes it`
        : "name one in it";
  return new UsageError(`${path} is a folder without a model, and inspect reads an artifact, a model or a GGUF file; ${remedy}`);
}

/** What a path names. */
type Inspected = { readonly kind: "artifact" | "gguf" | "model"; readonly path: string };

/** Finds out what a path names. @throws {UsageError} on a folder that is no model */
async function findInspected(path: string): Promise<Inspected> {
  if (path.startsWith("hf:")) return { kind: "model", path };
  const names = path === standardStream ? undefined : await readdir(path).catch(() => undefined);
  // without @mbs/models, which takes time to load and artifacts do not need
  if (names === undefined) return { kind: /\.gguf$/i.test(path) ? "gguf" : "artifact", path };
  const { ggufFile, isGgufFolder } = await import("@mbs/models");
  if (await isGgufFolder(path)) return { kind: "gguf", path: join(path, ggufFile) };
  if (names.includes("config.json")) return { kind: "model", path };
  throw folderRefusal(path, names.sort());
}

/** `mbs inspect`: what an artifact or a GGUF file holds, for a person or a program. */
export function inspectCommand({ signal }: CommandContext): Command {
  const command = plainCommand(
    "inspect",
    "Show what an artifact holds: kind, content address, metadata and a summary of its rows; of a model what it is and what can be made of it; of a GGUF file its metadata and tensors.",
    [
      "mbs inspect models/llama",
      "mbs inspect hf:google/gemma-3-270m",
      "mbs inspect segments.arrow",
      "mbs inspect layers.arrow --json",
      "mbs inspect model.gguf --rows 0",
      "mbs similarity < statistics.arrow | mbs inspect -",
    ],
  ).addArgument(
    new Argument(
      "<file>",
      "an artifact, - for one on standard input, a model's folder, hf:org/name, or a GGUF file or its folder",
    ),
  );
  for (const flag of optionsToFlags(options)) command.addOption(flag);
  return command.action(async (path: string) => {
    const { quiet = false, debug: _debug, ...given } = command.opts<{ quiet?: boolean; debug?: boolean }>();
    const { json, rows: limit } = parseOptions(options, given, "inspect");
    const inspected = await findInspected(path);
    if (inspected.kind === "model") {
      const { inspectModel, modelText } = await import("../results/model-inspection.ts");
      const reporter = createReporter("mbs inspect", progressStyle(quiet));
      const found = await inspectModel(inspected.path, reporter.progress);
      reporter.stop();
      await printText(json ? `${JSON.stringify(found, null, 2)}\n` : modelText(found));
      return;
    }
    if (inspected.kind === "gguf") {
      const { path: gguf } = inspected;
      const { describeGguf, readModelRecord } = await import("@mbs/models");
      const { warn } = createReporter("mbs inspect", progressStyle(quiet));
      const found = { ...(await describeGguf(gguf)), made: await readModelRecord(gguf, warn) };
      await printText(json ? `${JSON.stringify(ggufJson(found), null, 2)}\n` : ggufText(found, (rows) => table(rows, limit)));
      return;
    }
    const stream = await openInput(path, { what: "an artifact" }, signal);
    const ours = artifactKindOf(stream);
    const { rows: summary, tensors = [], experts } = await (ours === undefined ? inspectRows(stream) : inspections[ours](stream));
    const { address, rows, batches } = await stream.receipt;
    const { kind, version, metadata, fields } = stream.schema;
    const { differingStorage, formatStorage } = await import("@mbs/assembly");
    const storage = differingStorage(tensors);
    if (json) {
      const known = {
        kind,
        version,
        address,
        rows,
        batches,
        metadata,
        fields,
        ...(storage && { storage }),
        ...(experts && { experts }),
        summary,
      };
      await printText(`${JSON.stringify(known, null, 2)}\n`);
      return;
    }
    const facts = Object.entries(metadata).map(
      ([name, value]) => `  ${printable(`${name}: ${value.length > 200 ? `${value.slice(0, 200)}…` : value}`)}\n`,
    );
    await printText(
      `${kind} (version ${version}), ${rows} rows in ${batches} batches\naddress ${address}\n${facts.join("")}\n${storage === undefined ? "" : `${formatStorage(storage)}\n`}${experts === undefined ? "" : `${table(experts, 0)}\n`}${table(summary, limit)}`,
    );
  });
}
