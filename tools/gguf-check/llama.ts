/** llama.cpp as in node-llama-cpp 3.22.1 (v0.5.0), called by koffi: what is needed to score tokens. */
import { join } from "node:path";
import { batchFields, bind, loadLibraries } from "../llama-cpp/libraries.ts";

export interface LlamaModel {
  /** Tokens of a text, without those that are put around it. */
  tokenize(text: string): number[];
  /** Σ -ln p of tokens 1 …, each given those before it, nats. @param tokens at most 512 */
  score(tokens: Int32Array): number;
  close(): void;
}

/** Whole numbers of 32 bits of the context's parameters, which llama.cpp passes by value. */
const contextAt = { context: 0, batch: 1, microBatch: 2, threads: 7, batchThreads: 8 } as const;
const longest = 512;

/** @param folder in which node-llama-cpp and koffi are installed */
export function openLlama(folder: string, path: string): LlamaModel {
  const { koffi, binaries, ggml, llama } = loadLibraries(join(folder, "node_modules"), "0.5.0");
  // larger than they are: the callee reads its part
  const modelParameters = koffi.struct("model_parameters", { values: koffi.array("int32", 40) });
  const contextParameters = koffi.struct("context_parameters", { values: koffi.array("int32", 50) });
  const batchType = koffi.struct("llama_batch", batchFields);
  bind(llama, "llama_backend_init", "void")();
  bind(ggml, "ggml_backend_load_all_from_path", "void", "str")(binaries);
  const { values: model } = bind<{ values: Int32Array }>(llama, "llama_model_default_params", modelParameters)();
  const { values } = bind<{ values: Int32Array }>(llama, "llama_context_default_params", contextParameters)();
  for (const field of [contextAt.context, contextAt.batch, contextAt.microBatch]) values[field] = longest;
  for (const field of [contextAt.threads, contextAt.batchThreads]) values[field] = 1;
  const opened = bind(llama, "llama_model_load_from_file", "void *", "str", modelParameters)(path, { values: model });
  if (!opened) throw new Error(`llama.cpp cannot open ${path}`);
  const context = bind(llama, "llama_init_from_model", "void *", "void *", contextParameters)(opened, { values });
  if (!context) throw new Error(`llama.cpp makes no context of ${path}`);
  const vocabulary = bind(llama, "llama_model_get_vocab", "void *", "void *")(opened);
  const size = bind<number>(llama, "llama_vocab_n_tokens", "int32", "void *")(vocabulary);
  const memory = bind(llama, "llama_get_memory", "void *", "void *")(context);
  const clear = bind(llama, "llama_memory_clear", "void", "void *", "bool");
  const decode = bind<number>(llama, "llama_decode", "int32", "void *", batchType);
  const logitsOf = bind<unknown>(llama, "llama_get_logits_ith", "void *", "void *", "int32");
  const tokenize = bind<number>(llama, "llama_tokenize", "int32", "void *", "str", "int32", "void *", "int32", "bool", "bool");
  return {
    tokenize(text) {
      const bytes = Buffer.byteLength(text);
      const memoryOfTokens = koffi.alloc("int32", bytes + 8);
      try {
        const count = tokenize(vocabulary, text, bytes, memoryOfTokens, bytes + 8, false, false);
        return [...(koffi.decode(memoryOfTokens, koffi.array("int32", count, "Typed")) as Int32Array)];
      } finally {
        koffi.free(memoryOfTokens);
      }
    },
    score(tokens) {
      const [token, logits] = [koffi.alloc("int32", tokens.length), koffi.alloc("int8", tokens.length)];
      koffi.encode(token, 0, koffi.array("int32", tokens.length), tokens);
      koffi.encode(logits, 0, koffi.array("int8", tokens.length), new Int8Array(tokens.length).fill(1));
      clear(memory, true);
      const batch = { n_tokens: tokens.length, token, embd: null, pos: null, n_seq_id: null, seq_id: null, logits };
      if (decode(context, batch) !== 0) throw new Error("llama_decode failed");
      let nats = 0;
      for (let index = 1; index < tokens.length; index += 1) {
        const row = koffi.decode(logitsOf(context, index - 1), koffi.array("float", size, "Typed")) as Float32Array;
        let high = -Infinity;
        for (const value of row) if (value > high) high = value;
        let sum = 0;
        for (const value of row) sum += Math.exp(value - high);
        nats += Math.log(sum) + high - (row[tokens[index] ?? -1] ?? NaN);
      }
      koffi.free(token);
      koffi.free(logits);
      return nats;
    },
    close() {
      bind(llama, "llama_free", "void", "void *")(context);
      bind(llama, "llama_model_free", "void", "void *")(opened);
    },
  };
}
