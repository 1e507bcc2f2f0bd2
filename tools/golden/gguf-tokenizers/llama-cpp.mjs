// Tokens by llama.cpp: node llama-cpp.mjs WORK [NAME…]. Run where node-llama-cpp is installed.
import { readFile, readdir, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const { getLlama } = await import(pathToFileURL(createRequire(join(process.cwd(), "package.json")).resolve("node-llama-cpp")));
const [work, ...wanted] = process.argv.slice(2);
const texts = JSON.parse(await readFile(join(work, "texts.json"), "utf8"));
const llama = await getLlama({ gpu: false, build: "never", logLevel: "error" });
for (const name of wanted.length > 0 ? wanted : (await readdir(join(work, "cases"))).sort()) {
  const modelPath = join(work, "cases", name, "vocab.gguf");
  try {
    const model = await llama.loadModel({ modelPath, vocabOnly: true });
    // special: true, since added tokens are found in texts
    const tokens = texts.map(({ text }) => Array.from(model.tokenize(text, true)));
    await writeFile(join(work, "cases", name, "llama.cpp.json"), JSON.stringify(tokens));
    await model.dispose();
  } catch (error) {
    console.log(name, String(error));
  }
}
console.log(llama.llamaCppRelease);
process.exit();
