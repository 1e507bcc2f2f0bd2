import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { openArtifact, writeAtomically } from "@mbs/artifacts";
import { DeniedError, UsageError, parseOptions } from "@mbs/contracts";
import type { OptionTable } from "@mbs/contracts";
import { optionsToFlags, printText, standardStream } from "@mbs/host-cli";
import { buildReport, parsePlace } from "@mbs/reporting";
import { Argument } from "commander";
import type { Command } from "commander";
import { plainCommand } from "../plain-command.ts";
import { similarityOptions } from "../similarity-options.ts";

const options = {
  output: { kind: "text", placeholder: "FILE", description: "the page (default standard output)", optional: true },
  title: { kind: "text", description: "title of the page", optional: true },
  ...similarityOptions,
  force: { kind: "flag", description: "replace what is at the output's place" },
} as const satisfies OptionTable;

/** `mbs report`: one HTML page that needs nothing else. */
export function reportCommand(): Command {
  const command = plainCommand(
    "report",
    "Write scores, similarities and predicted errors as one HTML page with tables and plots.",
    [
      "mbs report scores.arrow similarity.arrow --output report.html",
      "mbs report similarity.arrow --at mean --measure gram --output similarity.html",
    ],
  ).addArgument(new Argument("<files...>", "artifacts of kind scores, similarity or errors, in the order of the page"));
  for (const flag of optionsToFlags(options)) command.addOption(flag);
  return command.action(async (files: readonly string[]) => {
    const { quiet: _quiet, debug: _debug, ...given } = command.opts<Record<string, unknown>>();
    const { output = standardStream, title, force, at, measure } = parseOptions(options, given, "report");
    if (output === standardStream && process.stdout.isTTY) {
      throw new UsageError("standard output is a terminal; give --output report.html");
    }
    if (output !== standardStream && !force && (await stat(output).catch(() => undefined))) {
      throw new DeniedError(`${output} exists; choose another name, or replace it with --force`, { path: output });
    }
    const inputs = [];
    for (const file of files) inputs.push({ name: basename(file, ".arrow"), stream: await openArtifact(file) });
    const place = at === undefined ? undefined : parsePlace(at);
    // Without either flag the page shows more than one.
    const chosen = place !== undefined || given["measure"] !== undefined;
    const page = await buildReport(inputs, title, chosen ? { measure, ...(place && { place }) } : undefined);
    if (output === standardStream) {
      await printText(page);
      return;
    }
    await writeAtomically(output, [Buffer.from(page)], { force });
  });
}
