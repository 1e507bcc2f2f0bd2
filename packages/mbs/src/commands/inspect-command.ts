import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { requireKind, requireVersion } from "@mbs/artifacts";
import type { ArtifactKind } from "@mbs/artifacts";
import { BadDataError, counted, FailedPreconditionError, UsageError, parseOptions, printable } from "@mbs/contracts";
import type { ArtifactStream, OptionTable } from "@mbs/contracts";
import { createReporter, openInput, optionsToFlags, printText, progressStyle, standardStream } from "@mbs/host-cli";
import type { Reporter } from "@mbs/host-cli";
import { formatTable } from "@mbs/reporting";
import { Argument } from "commander";
import type { Command } from "commander";
import { inspectRows, inspections } from "../results/inspection.ts";
import type { InspectionRow } from "../results/inspection.ts";
import type { ShownTensor } from "../results/model-inspection.ts";
import { plainCommand } from "./plain-command.ts";
import type { CommandContext } from "./plain-command.ts";

const options = {
  json: { kind: "flag", description: "print JSON" },
  tensors: { kind: "flag", description: "also list a model's tensors, and the metadata of a GGUF file" },
  rows: { kind: "integer", description: "maximum number of rows, of tensors too; 0 for all", minimum: 0, default: 40 },
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

interface Shown {
  readonly json: boolean;
  /** Each of them, and the metadata of a GGUF file. */
  readonly tensors: boolean;
  /** Most rows of a table; 0 for any number. */
  readonly limit: number;
}

const tensorTable = (tensors: readonly ShownTensor[], limit: number): string =>
  table(
    tensors.map(({ name, type, shape, bytes }) => ({ tensor: name, type, shape: shape.join(" × "), bytes })),
    limit,
  );

/** How to see what is left out. */
const seeTensors = (path: string, what: string): string => `\nmbs inspect ${printable(path)} --tensors lists ${what} too\n`;

async function showModel(path: string, { json, tensors: shown, limit }: Shown, { progress, stop }: Reporter): Promise<void> {
  const { inspectModel, partsText, summaryText } = await import("../results/model-inspection.ts");
  const found = await inspectModel(path, progress);
  stop();
  const { tensors, ...summary } = found;
  await printText(
    json
      ? `${JSON.stringify(shown ? found : summary, null, 2)}\n`
      : `${summaryText(found)}\n${partsText(found)}${shown ? `\n${tensorTable(tensors, limit)}` : seeTensors(path, counted(tensors.length, "tensor"))}`,
  );
}

async function showGguf(path: string, { json, tensors: shown, limit }: Shown, { progress, stop, warn }: Reporter): Promise<void> {
  const [{ describeGguf, readModelRecord }, { ggufJson, ggufText, metadataText }, { inspectModel }] = await Promise.all([
    import("@mbs/models"),
    import("../results/gguf-inspection.ts"),
    import("../results/model-inspection.ts"),
  ]);
  const description = await describeGguf(path);
  // statistics, adapters and models of architectures that are not read are shown all the same
  const model = await inspectModel(path, progress).catch((error: unknown) => {
    const isOfModel = [BadDataError, FailedPreconditionError, UsageError].some((own) => error instanceof own);
    if (!isOfModel) throw error;
    return { problem: (error as Error).message.replace(`${path}: `, "").replace(path, "it") };
  });
  stop();
  const found = { ...description, model, made: await readModelRecord(path, warn) };
  if (json) {
    await printText(`${JSON.stringify(ggufJson(found, shown), null, 2)}\n`);
    return;
  }
  const tensors = `\n${metadataText(found)}\n${tensorTable(found.tensors, limit)}`;
  const rest = shown ? tensors : seeTensors(path, `its metadata and ${counted(found.tensors.length, "tensor")}`);
  await printText(`${ggufText(found, (rows) => table(rows, 0))}${rest}`);
}

/** `mbs inspect`: what an artifact or a GGUF file holds, for a person or a program. */
export function inspectCommand({ signal }: CommandContext): Command {
  const command = plainCommand(
    "inspect",
    "Show what an artifact holds: kind, content address, metadata and a summary of its rows; of a model, GGUF files too, what it is and what can be made of it.",
    [
      "mbs inspect models/llama",
      "mbs inspect hf:google/gemma-3-270m",
      "mbs inspect segments.arrow",
      "mbs inspect layers.arrow --json",
      "mbs inspect model.gguf --tensors --rows 0",
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
    const { json, tensors, rows: limit } = parseOptions(options, given, "inspect");
    const inspected = await findInspected(path);
    if (inspected.kind !== "artifact") {
      const reporter = createReporter("mbs inspect", progressStyle(quiet));
      try {
        await (inspected.kind === "model" ? showModel : showGguf)(inspected.path, { json, tensors, limit }, reporter);
      } finally {
        reporter.stop();
      }
      return;
    }
    const stream = await openInput(path, { what: "an artifact" }, signal);
    const ours = artifactKindOf(stream);
    const {
      rows: summary,
      tensors: stored = [],
      experts,
    } = await (ours === undefined ? inspectRows(stream) : inspections[ours](stream));
    const { address, rows, batches } = await stream.receipt;
    const { kind, version, metadata, fields } = stream.schema;
    const { differingStorage, formatStorage } = await import("@mbs/assembly");
    const storage = differingStorage(stored);
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
