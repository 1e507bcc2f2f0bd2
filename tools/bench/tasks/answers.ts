/**
 * Answers to prompts as tasks have them written, in this process. Writes what answers.py writes.
 *
 * usage: node --import tsx tools/bench/tasks/answers.ts MODEL PROMPTS.json OUTPUT.json THREADS TOKENS
 */
import { readFileSync, writeFileSync } from "node:fs";
import { generateTexts } from "@mbs/evaluation";
import { openModel } from "@mbs/models";

const [path = "", prompts = "", output = "", threads, tokens] = process.argv.slice(2);
const texts = (JSON.parse(readFileSync(prompts, "utf8")) as string[]).map((context, index) => ({
  name: `prompt ${index}`,
  context,
  until: ["\n\n"],
  maximumTokens: Number(tokens),
}));
const model = await openModel(path);
const tokenizer = await model.tokenizer();
const context = {
  signal: new AbortController().signal,
  progress: () => undefined,
  warn: (message: string) => process.stderr.write(`${message}\n`),
  threads: Number(threads),
};
const scored = { model, label: "model", activations: "float32" } as const;
const options = { contextLength: model.contextLength ?? 2048, longTexts: "cut", tokenizer } as const;

async function answer(some: typeof texts): Promise<string[]> {
  const found: string[] = [];
  for await (const { text } of generateTexts(scored, some, options, context)) found.push(text);
  return found;
}

await answer(texts.slice(0, 1));
const [started, processor] = [performance.now(), process.cpuUsage()];
const answers = await answer(texts);
const seconds = (performance.now() - started) / 1000;
const { user, system } = process.cpuUsage(processor);
writeFileSync(output, JSON.stringify({ seconds, processorSeconds: (user + system) / 1e6, answers }));
await model.close();
