/**
 * Lets node-llama-cpp go on with a text: generate.mjs LLAMA MODEL.gguf TEXT [TOKENS]
 *
 * Shows that what is written loads, and that texts come out; perplexity.ts measures.
 */
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, modelPath, text, count = "24"] = process.argv.slice(2);
if (text === undefined) throw new Error("generate.mjs LLAMA MODEL.gguf TEXT [TOKENS]");
const entry = createRequire(join(resolve(folder), "package.json")).resolve("node-llama-cpp");
const { getLlama } = await import(pathToFileURL(entry).href);
const llama = await getLlama({ gpu: false, build: "never", logLevel: "error", maxThreads: 1 });
const model = await llama.loadModel({ modelPath });
const context = await model.createContext({ contextSize: 256, threads: 1 });
const tokens = model.tokenize(text);
const made = [];
for await (const token of context.getSequence().evaluate(tokens, { temperature: 0 })) {
  made.push(token);
  if (made.length >= Number(count)) break;
}
console.log(model.detokenize([...tokens, ...made]));
await llama.dispose();
