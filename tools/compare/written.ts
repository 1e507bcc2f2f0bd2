/**
 * What compressed models of a comparison write, and how far their distributions are from the dense model's: for rows that
 * tools/compare/run.ts has made, whose models are written again from their layers.
 *
 * usage: node --conditions=mbs-source --import tsx tools/compare/written.ts --model M --texts FOLDER --output FOLDER
 *          --python PYTHON --rows "gptq-3 equal,gptq-3 english" [--threads N]
 *   --model, --texts, --output   as run.ts was given them, with --size twelve
 *   --python   with tools/compare/peers/requirements.txt installed
 *
 * Writes FOLDER/written/ROW.scores.arrow, FOLDER/written/ROW.jsonl (what peers/generation.py prints) and the texts themselves; what
 * is there is not made again.
 */
import { existsSync } from "node:fs";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseRowOptions } from "./row-options.ts";
import { continuationsFile, scoresFile, writtenFolder } from "./row-files.ts";
import { fileStem, sizes } from "./rows.ts";
import { start, startMbs, withModel } from "./start.ts";

const { model: dense, texts, output, python, rows, threads } = parseRowOptions("written.ts", "python");
const heldOut = join(texts, "heldout.yaml");
const folder = join(output, writtenFolder);
const { windows, windowLength } = sizes.twelve;
await mkdir(folder, { recursive: true });

for (const row of rows) {
  const name = fileStem(row);
  const [scores, lines] = [join(folder, scoresFile(row)), join(output, continuationsFile(row))];
  if (existsSync(scores) && existsSync(lines)) continue;
  await withModel(join(output, name), threads, async (made) => {
    if (!existsSync(scores)) {
      const limits = ["--length", String(windowLength), "--windows", String(windows)];
      const models = ["--model", dense, "--model", made, "--labels", `dense,${row}`];
      startMbs(["evaluate", ...models, "--corpus", heldOut, ...limits, "--output", scores, "--quiet"], threads);
    }
    const script = fileURLToPath(new URL("peers/generation.py", import.meta.url));
    const files = ["--output", join(folder, `${name}.texts.json`), "--dense-tokens", join(folder, "dense.json")];
    await writeFile(`${lines}.part`, start(python, [script, heldOut, dense, `${row}=${made}`, ...files, "--threads", threads]));
    await rename(`${lines}.part`, lines);
  });
}
