import { dirname } from "node:path";
import { BadDataError, parseOptions } from "@mbs/contracts";
import type { OptionTable } from "@mbs/contracts";
import { optionsToFlags } from "@mbs/host-cli";
import { Argument } from "commander";
import type { Command } from "commander";
import { writeCard } from "../results/card-writer.ts";
import { plainCommand } from "./plain-command.ts";

const options = {
  scores: { kind: "list", placeholder: "FILE,…", optional: true, description: "output of `mbs evaluate`, for the results" },
  recipe: { kind: "text", placeholder: "FILE", optional: true, description: "the recipe that made the model, to show it" },
} as const satisfies OptionTable;

/**
 * The folder whose card is written: that of a GGUF file, if assemble has made the file.
 *
 * @throws {BadDataError} where it has not
 */
async function folderOf(path: string): Promise<string> {
  const { isGguf, readModelRecord, recordFile } = await import("@mbs/models");
  if (!isGguf(path)) return path;
  if ((await readModelRecord(path)) !== undefined) return dirname(path);
  throw new BadDataError(`no ${recordFile} beside ${path} names it; name a model that mbs assemble has made`, { path });
}

/** `mbs card`: the model card of an assembled folder, with what is known only after it was evaluated. */
export function cardCommand(): Command {
  const command = plainCommand("card", "Write the model card of a folder that assemble has written, with scores and recipe.", [
    "mbs card out/ --scores scores.arrow",
    "mbs card run/model --scores run/scores.arrow --recipe run/recipe.yaml",
  ]).addArgument(new Argument("<model>", "folder with an mbs.json, or the GGUF file in it; its README.md is replaced"));
  for (const flag of optionsToFlags(options)) command.addOption(flag);
  return command.action(async (model: string) => {
    const { quiet: _quiet, debug: _debug, ...given } = command.opts<Record<string, unknown>>();
    const { scores = [], recipe } = parseOptions(options, given, "card");
    await writeCard(await folderOf(model), { scores, recipe });
  });
}
