import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { openArtifact, writeAtomically } from "@mbs/artifacts";
import { DeniedError, UsageError } from "@mbs/contracts";
import { printText, standardStream } from "@mbs/host-cli";
import { buildReport } from "@mbs/reporting";
import { Argument, Option } from "commander";
import type { Command } from "commander";
import { plainCommand } from "../plain-command.ts";

interface Given {
  readonly output?: string;
  readonly title?: string;
  readonly force?: boolean;
}

/** `mbs report`: one HTML page that needs nothing else. */
export function reportCommand(): Command {
  const command = plainCommand("report", "Write scores and similarities as one HTML page with tables and plots.", [
    "mbs report scores.arrow similarity.arrow --output report.html",
  ])
    .addArgument(new Argument("<files...>", "artifacts of kind scores or similarity, in the order of the page"))
    .addOption(new Option("--output <FILE>", "the page (default standard output)"))
    .addOption(new Option("--title <TEXT>", "title of the page"))
    .addOption(new Option("--force", "replace what is at the output's place"));
  return command.action(async (files: readonly string[]) => {
    const { output = standardStream, title, force } = command.opts<Given>();
    if (output === standardStream && process.stdout.isTTY) {
      throw new UsageError("standard output is a terminal; give --output report.html");
    }
    if (output !== standardStream && !force && (await stat(output).catch(() => undefined))) {
      throw new DeniedError(`${output} exists; choose another name, or replace it with --force`, { path: output });
    }
    const inputs = [];
    for (const file of files) inputs.push({ name: basename(file, ".arrow"), stream: await openArtifact(file) });
    const page = await buildReport(inputs, title);
    if (output === standardStream) {
      await printText(page);
      return;
    }
    await writeAtomically(output, [Buffer.from(page)], { force: force === true });
  });
}
