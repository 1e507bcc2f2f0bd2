import { codeBlock } from "./markdown.ts";
import type { WeightFiles } from "./size-report.ts";

const transformers = codeBlock(
  "python",
  `from transformers import AutoModelForCausalLM, AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained("FOLDER")
model = AutoModelForCausalLM.from_pretrained("FOLDER")`,
);
const gptqmodel = codeBlock("python", 'from gptqmodel import GPTQModel\nmodel = GPTQModel.load("FOLDER")');
const llama = codeBlock("sh", "llama-cli -m FOLDER/model.gguf");
// Code of the card, not of this package: a check of imports reads the words before it.
const transformersPackage = "@huggingface/transformers";
const transformersJs = codeBlock(
  "js",
  `import { env, pipeline } from "${transformersPackage}";
env.localModelPath = "PARENT-OF-FOLDER";
const generate = await pipeline("text-generation", "FOLDER");`,
);

const ways: Readonly<Record<string, readonly [programs: string, code: string]>> = {
  dense: [
    "With whatever loads the model it was made from, such as transformers (an encoder-decoder with `AutoModelForSeq2SeqLM`) or, where it has the architecture, vLLM (`vllm serve FOLDER`):",
    transformers,
  ],
  gptq: ["With vLLM (`vllm serve FOLDER`), or with transformers where gptqmodel is installed:", transformers],
  "gptq-v2": ["With vLLM (`vllm serve FOLDER`), or with gptqmodel:", gptqmodel],
  "compressed-tensors": [
    "With vLLM (`vllm serve FOLDER`; it has kernels for 4 and 8 bits), or with transformers where compressed-tensors is installed:",
    transformers,
  ],
  gguf: ["With llama.cpp and what is made of it (Ollama, LM Studio, node-llama-cpp):", llama],
  onnx: ["With transformers.js 4 or ONNX Runtime:", transformersJs],
};

/** How programs load the folder, by the format of its weights. */
export const loadBlocks = (format: string, { graph }: WeightFiles): readonly string[] =>
  format === "dense" && graph
    ? ["With whatever runs the ONNX model it was made from: the graph is the same, its weights are not."]
    : (ways[format] ?? []);
