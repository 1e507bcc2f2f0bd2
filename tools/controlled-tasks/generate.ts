/** Writes datasets/controlled-tasks: node --conditions=mbs-source --import tsx tools/controlled-tasks/generate.ts */
import { mkdir, writeFile } from "node:fs/promises";
import { taskFiles } from "./task-files.ts";

const folder = new URL("../../datasets/controlled-tasks/", import.meta.url);

for (const [path, content] of await taskFiles()) {
  const target = new URL(path, folder);
  await mkdir(new URL(".", target), { recursive: true });
  await writeFile(target, content);
}
