import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { formatSize, sizeReport, sparsityText } from "@mbs/assembly";
import { openArtifact } from "@mbs/artifacts";
import { formatBytes } from "@mbs/contracts";
import { formatSeconds } from "@mbs/host-cli";
import { shellWord } from "@mbs/pipeline";
import type { Recipe, RunResult } from "@mbs/pipeline";
import { presenters } from "./presenters.ts";
import { qualityTable } from "./quality-result.ts";

/** The next command: the report of the results, or how to get results. */
function nextCommand({ model, evaluate, similarity }: Recipe, { folder }: RunResult, isEncoder: boolean): string {
  const compared = ["--model", model, "--model", folder.model, "--corpus", "HELD-OUT"];
  const words =
    evaluate === undefined
      ? isEncoder
        ? ["agreement", ...compared]
        : ["evaluate", ...compared, "--output", "scores.arrow"]
      : [
          "report",
          folder.scores,
          ...(similarity ? [folder.similarity] : []),
          "--recipe",
          folder.recipe,
          "--output",
          "report.html",
        ];
  return `next: mbs ${words.map(shellWord).join(" ")}\n`;
}

/** "40 nodes in 3 min 2 s (5 min 10 s of work), 12 of them done before". @param took seconds by the clock */
function workText({ nodes }: RunResult, took: number): string {
  const now = nodes.flatMap(({ seconds }) => seconds ?? []);
  const before = nodes.length - now.length;
  const work = now.reduce((sum, seconds) => sum + seconds, 0);
  // several workers do more than the clock shows
  const all = work > took ? ` (${formatSeconds(work)} of work)` : "";
  return `${nodes.length} nodes in ${formatSeconds(took)}${all}${before === 0 ? "" : `, ${before} of them done before`}\n`;
}

/** What the run's working folder takes, and that it may go; "" where another process has removed it. */
async function workFolderText({ folder: { work } }: RunResult): Promise<string> {
  const found = await readdir(work, { recursive: true })
    .then((paths) => Promise.all(paths.map((path) => stat(join(work, path)))))
    .catch(() => undefined);
  if (found === undefined) return "";
  const bytes = formatBytes(found.reduce((sum, status) => sum + (status.isFile() ? status.size : 0), 0));
  return `${work} (${bytes}) is what another run of this recipe goes on from; it may be deleted\n`;
}

/**
 * The text at the end of a run: scores by language, size, the model, what the recipe's own stages made, and the next command.
 *
 * @param took seconds of the run by the clock
 */
export async function runResult(recipe: Recipe, result: RunResult, took: number): Promise<string> {
  const { folder } = result;
  const table =
    recipe.evaluate === undefined ? "" : `${(await presenters["scores"]?.table(await openArtifact(folder.scores), {})) ?? ""}\n`;
  const report = await sizeReport(folder.model);
  const size = formatSize(report);
  const sparsity = await sparsityText(folder.model);
  const tried = result.quality === undefined ? "" : `${qualityTable(result.quality)}\n`;
  const made = [folder.model, ...[...recipe.stages.keys()].map((name) => join(folder.root, `${name}.arrow`))];
  return `${tried}${table}${size}${sparsity}${workText(result, took)}${await workFolderText(result)}${made.join("\n")}\n${nextCommand(recipe, result, report.isEncoder)}`;
}
