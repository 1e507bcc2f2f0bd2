// Copies what the package offers from the repository into it, before it is packed (scripts/publish does it).
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";

const generated = join(import.meta.dirname, "generated");
const root = join(import.meta.dirname, "../..");
const offered = [
  "datasets/controlled-bloom",
  "datasets/controlled-llama",
  "datasets/controlled-tasks",
  "datasets/controlled-texts",
  "recipes",
];

rmSync(generated, { recursive: true, force: true });
for (const path of offered) cpSync(join(root, path), join(generated, path), { recursive: true });
