// Copies what the package offers from the repository into it, before it is packed (scripts/publish does it).
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";

const data = join(import.meta.dirname, "data");
const root = join(import.meta.dirname, "../..");
const offered = [
  "datasets/controlled-bloom",
  "datasets/controlled-llama",
  "datasets/controlled-tasks",
  "datasets/controlled-texts",
  "recipes",
];

rmSync(data, { recursive: true, force: true });
for (const path of offered) cpSync(join(root, path), join(data, path), { recursive: true });
