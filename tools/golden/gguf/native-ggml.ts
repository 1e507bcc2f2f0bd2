/** ggml's own functions, in the library of `@node-llama-cpp/linux-x64`, called through koffi. */
import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

interface Library {
  func(signature: string): (...given: unknown[]) => unknown;
}

/** @param modules a node_modules folder with koffi and @node-llama-cpp/linux-x64 */
export function loadGgml(modules: string): Library {
  const koffi = createRequire(join(resolve(modules), "package.json"))("koffi") as { load(path: string): Library };
  const folder = join(modules, "@node-llama-cpp/linux-x64/bins");
  const library = readdirSync(folder, { recursive: true, encoding: "utf8" }).find((name) => name.endsWith("libggml-base.so"));
  if (library === undefined) throw new Error(`${folder} has no libggml-base.so`);
  return koffi.load(resolve(folder, library));
}
