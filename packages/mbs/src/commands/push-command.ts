import { stat } from "node:fs/promises";
import { join } from "node:path";
import { FailedPreconditionError, formatBytes, parseOptions, UsageError } from "@mbs/contracts";
import type { OptionTable } from "@mbs/contracts";
import { createReporter, optionsToFlags, printText, progressStyle } from "@mbs/host-cli";
import { createRepository, isOffline, parseRepository, planPush, pushFiles } from "@mbs/hub";
import type { HubAddress, PushFile, PushPlan } from "@mbs/hub";
import { Argument } from "commander";
import type { Command } from "commander";
import { plainCommand } from "./plain-command.ts";
import type { CommandContext } from "./plain-command.ts";

const options = {
  create: { kind: "flag", description: "make the repository where there is none" },
  private: { kind: "flag", description: "with --create: a repository that only you, or your organisation, can see" },
  replace: {
    kind: "text",
    placeholder: "COMMIT",
    optional: true,
    description: "replace files that have other content at this commit, which must be the newest",
  },
  message: { kind: "text", optional: true, placeholder: "TEXT", description: 'title of the commit; default: "Upload with mbs"' },
  dryRun: { kind: "flag", description: "list the files, and write nothing" },
  json: { kind: "flag", description: "print files and commit as JSON" },
} as const satisfies OptionTable;

type Options = ReturnType<typeof parseOptions<typeof options>>;

/** The card of a model. */
const card = "README.md";

const isFile = async (path: string): Promise<boolean> => (await stat(path).catch(() => undefined))?.isFile() === true;

/** @throws {FailedPreconditionError} on a folder without a model card: nobody would know what its files are */
async function requireCard(folder: string): Promise<void> {
  if (await isFile(join(folder, card))) return;
  for (const inner of ["shrunk/model", "model"]) {
    if (await isFile(join(folder, inner, card)))
      throw new FailedPreconditionError(`${folder} is no model; name ${join(folder, inner)}, which is in it`, { folder });
  }
  throw new FailedPreconditionError(
    `${folder} has no ${card}, the model's card; name a folder that mbs assemble, run or shrink has made, or write the card`,
    { folder },
  );
}

function parseTarget(text: string): HubAddress {
  const { name, revision } = (text.startsWith("hf:") ? parseRepository(text.slice(3)) : undefined) ?? {};
  if (name === undefined || !name.includes("/") || name.includes("..") || revision !== undefined) {
    throw new UsageError(`${text} is no model on the Hub; write hf:org/name, where org is your own name or an organisation`);
  }
  return { repository: { type: "model", name }, revision: "main", text, isTarget: true };
}

/** @throws {FailedPreconditionError} where the repository is missing, or what it has would be replaced unseen */
function requireMayPush({ text }: HubAddress, { parent, files }: PushPlan, { create, replace }: Options): void {
  if (parent === undefined) {
    if (create) return;
    throw new FailedPreconditionError(
      `${text} is not there, or your token cannot see it; add --create to make it, with --private where only you may see it`,
      { model: text },
    );
  }
  if (replace !== undefined && replace !== parent) {
    throw new FailedPreconditionError(
      `${text} has changed: its newest commit is ${parent}, not ${replace}; look at it, then name it with --replace`,
      { model: text },
    );
  }
  const changed = files.filter(({ state }) => state === "changed").map(({ path }) => path);
  if (changed.length > 0 && replace === undefined) {
    throw new FailedPreconditionError(
      `${text} has other content in ${changed.join(", ")}; look at it, then replace it with --replace ${parent}`,
      { model: text },
    );
  }
}

const bytesOf = (files: readonly PushFile[]): number => files.reduce((sum, { size }) => sum + size, 0);

interface Result {
  readonly repository: string;
  readonly parent: string | undefined;
  readonly files: readonly PushFile[];
  /** Bytes of the files that are new or changed. */
  readonly bytes: number;
  /** Absent where nothing was written. */
  readonly commit?: string;
  readonly url?: string;
}

function resultText({ repository, files, bytes, commit, url }: Result, dryRun: boolean): string {
  const width = Math.max(...files.map(({ path }) => path.length));
  const lines = files.map(({ path, size, state }) => `${state.padEnd(7)}  ${path.padEnd(width)}  ${formatBytes(size)}`);
  const count = files.filter(({ state }) => state !== "same").length;
  const what = `${count} of ${files.length} files, ${formatBytes(bytes)}`;
  if (commit !== undefined) lines.push(`${what} written to ${repository}`, url ?? commit);
  else if (dryRun) lines.push(`${what} would be written to ${repository}`);
  else lines.push(`${repository} has all of it already`);
  return `${lines.join("\n")}\n`;
}

/** `mbs push`: a model folder, with its card, onto the Hub. */
export function pushCommand({ signal }: CommandContext): Command {
  const command = plainCommand("push", "Put a model folder onto the Hugging Face Hub, with its card, as one commit.", [
    "mbs push small/shrunk/model hf:me/gemma-hi-km --create --private",
    "mbs push small/shrunk/model hf:me/gemma-hi-km --dry-run",
  ])
    .addArgument(
      new Argument("<folder>", "folder of a model, with its card README.md; files whose name begins with a dot stay here"),
    )
    .addArgument(new Argument("<target>", "hf:org/name"));
  for (const flag of optionsToFlags(options)) command.addOption(flag);
  return command.action(async (folder: string, target: string) => {
    const { quiet = false, debug: _debug, ...given } = command.opts<{ quiet?: boolean; debug?: boolean }>();
    const parsed = parseOptions(options, given, "push");
    const address = parseTarget(target);
    if (parsed.private && !parsed.create)
      throw new UsageError("--private goes with --create: it says how the repository is made");
    if (isOffline()) throw new UsageError("HF_HUB_OFFLINE forbids the network, which mbs push needs; unset it");
    await requireCard(folder);
    const reporter = createReporter("mbs push", progressStyle(quiet));
    try {
      const { parent, files } = await planPush(address, folder);
      requireMayPush(address, { parent, files }, parsed);
      const bytes = bytesOf(files.filter(({ state }) => state !== "same"));
      const plan: Result = { repository: target, parent, files, bytes };
      if (parsed.dryRun || files.every(({ state }) => state === "same")) return await print(plan, parsed);
      const from = parent ?? (await createRepository(address, parsed.private ? "private" : "public"));
      const title = parsed.message ?? "Upload with mbs";
      const written = await pushFiles(address, folder, { parent: from, files }, title, { signal, progress: reporter.progress });
      await print({ ...plan, parent: from, ...written }, parsed);
    } finally {
      reporter.stop();
    }
  });
}

const print = (result: Result, { json, dryRun }: Options): Promise<void> =>
  printText(json ? `${JSON.stringify(result, null, 2)}\n` : resultText(result, dryRun));
