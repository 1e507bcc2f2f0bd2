import { cp, mkdir, readdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { DemoModel } from "./write-models.ts";
import type { generation } from "./node-generation.ts";
import type { Prompt } from "./prompts.ts";

/** What the page shows. */
export interface PageData {
  /** The dense model first; the others are compared with it. */
  readonly models: readonly (DemoModel & { readonly bytes: number })[];
  readonly prompts: readonly Prompt[];
  readonly generation: typeof generation;
}

const folderOf = (module: string): string => dirname(fileURLToPath(import.meta.resolve(module)));

/**
 * Writes the page with all that it needs: it is served as it stands, and asks no other server.
 *
 * @param folder holds the models in `models/NAME`
 */
export async function writePage(folder: string, data: PageData): Promise<void> {
  const vendor = join(folder, "vendor");
  await mkdir(vendor, { recursive: true });
  await cp(join(import.meta.dirname, "page"), folder, { recursive: true });
  await cp(join(folderOf("@huggingface/transformers"), "transformers.min.js"), join(vendor, "transformers.min.js"));
  const runtime = folderOf("onnxruntime-web");
  for (const name of (await readdir(runtime)).filter((file) => /^ort-wasm-simd-threaded\.asyncify\.(wasm|mjs)$/.test(file))) {
    await cp(join(runtime, name), join(vendor, name));
  }
  await writeFile(join(folder, "demo.json"), `${JSON.stringify(data, null, 2)}\n`);
}
