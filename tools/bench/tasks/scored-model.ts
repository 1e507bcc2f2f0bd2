/** A model as tasks are scored and answered with it, for the programs here that time one of the two. */
import { openModel } from "@mbs/models";

/** @param threads of native code, as the command line has them */
export async function openScored(path: string, threads: string | undefined) {
  const model = await openModel(path);
  const context = {
    signal: new AbortController().signal,
    progress: () => undefined,
    warn: (message: string) => process.stderr.write(`${message}\n`),
    threads: Number(threads),
  };
  const scored = { model, label: "model", activations: "float32" } as const;
  const options = { contextLength: model.contextLength ?? 2048, longTexts: "cut" } as const;
  return { model, tokenizer: await model.tokenizer(), context, scored, options };
}
