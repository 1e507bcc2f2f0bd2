import { UsageError } from "@mbs/contracts";
import type { Format } from "./format.ts";

/** Every format by name, loaded when it is asked for. */
const formats: ReadonlyMap<string, () => Promise<Format>> = new Map([
  ["dense", async () => (await import("./dense-format.ts")).denseFormat],
  ["compressed-tensors", async () => (await import("./compressed-tensors/compressed-tensors-format.ts")).compressedTensorsFormat],
  ["gptq", async () => (await import("./gptq/gptq-format.ts")).gptqFormat],
  ["gptq-v2", async () => (await import("./gptq/gptq-format.ts")).gptqV2Format],
  ["gguf", async () => (await import("./gguf/gguf-format.ts")).ggufFormat],
  ["onnx", async () => (await import("./onnx/onnx-format.ts")).onnxFormat],
]);

/** The values of `--format`. */
export const formatNames: readonly string[] = [...formats.keys()];

/** @throws {UsageError} naming the formats there are */
export async function loadFormat(name: string): Promise<Format> {
  const load = formats.get(name);
  if (load === undefined) {
    throw new UsageError(`--format takes one of ${formatNames.join(", ")}, not ${JSON.stringify(name)}`, { option: "--format" });
  }
  return load();
}
