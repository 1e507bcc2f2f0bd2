/**
 * Right answers of compressed models of a comparison: for rows that tools/compare/run.ts has made, whose models are written again
 * from their layers. A question is a sentence and the same with two words swapped, of the held-out texts; chance is a half.
 *
 * usage: node --conditions=mbs-source --import tsx tools/compare/answers.ts --model M --texts FOLDER --output FOLDER
 *          --rows "gptq-3 equal,gptq-3 english" [--threads N]
 *   --model, --texts, --output   as run.ts was given them, with --size twelve
 *
 * Writes FOLDER/answers/dense.scores.arrow and FOLDER/answers/ROW.scores.arrow; what is there is not made again.
 */
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseRowOptions } from "./row-options.ts";
import { fileStem } from "./rows.ts";
import { start, startMbs, withModel } from "./start.ts";
import { answersFile, answersFolder } from "./row-files.ts";

const { model, texts, output, rows, threads } = parseRowOptions("answers.ts");
const tasks = join(output, "tasks");
if (!existsSync(tasks)) {
  const generate = fileURLToPath(new URL("../controlled-tasks/generate.ts", import.meta.url));
  const given = ["--manifest", join(texts, "heldout.yaml"), "--name", "help", "--output", tasks];
  start(process.execPath, [...process.execArgv, generate, ...given]);
}
await mkdir(join(output, answersFolder), { recursive: true });

const fileOf = (label: string): string => join(output, answersFile(label));

function evaluate(path: string, label: string): void {
  const asked = ["--tasks", "help_pairs", "--task-path", tasks];
  startMbs(["evaluate", "--model", path, "--labels", label, ...asked, "--output", fileOf(label), "--quiet"], threads);
}

if (!existsSync(fileOf("dense"))) evaluate(model, "dense");
for (const row of rows) {
  if (!existsSync(fileOf(row))) await withModel(join(output, fileStem(row)), threads, (path) => evaluate(path, row));
}
