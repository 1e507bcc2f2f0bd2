/**
 * Writes tasks from held-out texts: datasets/controlled-tasks, or those of another corpus.
 *
 * usage: node --conditions=mbs-source --import tsx tools/controlled-tasks/generate.ts
 *   [--manifest FILE --name NAME --output FOLDER] [--languages en,de]
 *   --manifest   a corpus of JSON lines whose documents are named by "page" or "source"
 *   --name       the tasks are NAME_continuation_LANGUAGE and NAME_pairs_LANGUAGE
 *   --languages  some of the manifest's languages (all)
 */
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { controlledTexts, taskFiles } from "./task-files.ts";

const { values } = parseArgs({
  options: {
    manifest: { type: "string", default: controlledTexts.manifest },
    name: { type: "string", default: controlledTexts.name },
    output: { type: "string" },
    languages: { type: "string" },
  },
});
const isControlled = values.manifest === controlledTexts.manifest;
if (!isControlled && values.output === undefined) throw new Error("generate.ts: --manifest needs --output FOLDER");
const output = values.output ?? fileURLToPath(new URL("../../datasets/controlled-tasks", import.meta.url));

const files = await taskFiles({ manifest: values.manifest, name: values.name, languages: values.languages?.split(",") });
for (const [path, content] of files) {
  const target = join(output, path);
  await mkdir(dirname(target), { recursive: true });
  await writeFile(target, content);
  if (path.endsWith(".jsonl")) process.stderr.write(`${path}: ${content.split("\n").length - 1} documents\n`);
}
