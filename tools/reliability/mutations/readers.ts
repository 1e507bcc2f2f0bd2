import { arrow, arrowContent, flight } from "./arrow-inputs.ts";
import type { Reader } from "./input.ts";
import { grpc, queue } from "./message-inputs.ts";
import { gguf, imatrix, onnx, onnxRun, safetensors } from "./model-inputs.ts";
import { config, recipe, task, tokenizer } from "./text-inputs.ts";

/** Every reader by its name. */
export const readers: ReadonlyMap<string, Reader> = new Map([
  ["arrow", arrow],
  ["arrow-content", arrowContent],
  ["flight", flight],
  ["safetensors", safetensors],
  ["gguf", gguf],
  ["onnx", onnx],
  ["onnx-run", onnxRun],
  ["tokenizer", tokenizer],
  ["config", config],
  ["recipe", recipe],
  ["imatrix", imatrix],
  ["task", task],
  ["grpc", grpc],
  ["queue", queue],
]);
