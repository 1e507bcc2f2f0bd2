/**
 * Answers to prompts as tasks have them written, in this process. Writes what answers.py writes.
 *
 * usage: node --import tsx tools/bench/tasks/answers.ts MODEL PROMPTS.json OUTPUT.json THREADS TOKENS
 */
import { readFileSync, writeFileSync } from "node:fs";
import { generateTexts } from "@mbs/evaluation";
import { openScored } from "./scored-model.ts";

const [path = "", prompts = "", output = "", threads, tokens] = process.argv.slice(2);
const texts = (JSON.parse(readFileSync(prompts, "utf8")) as string[]).map((context, index) => ({
  name: `prompt ${index}`,
  context,
  until: ["\n\n"],
  maximumTokens: Number(tokens),
}));
const { model, tokenizer, context, scored, options } = await openScored(path, threads);

async function answer(some: typeof texts): Promise<string[]> {
  const found: string[] = [];
  for await (const { text } of generateTexts(scored, some, { ...options, tokenizer }, context)) found.push(text);
  return found;
}

await answer(texts.slice(0, 1));
const [started, processor] = [performance.now(), process.cpuUsage()];
const answers = await answer(texts);
const seconds = (performance.now() - started) / 1000;
const { user, system } = process.cpuUsage(processor);
writeFileSync(output, JSON.stringify({ seconds, processorSeconds: (user + system) / 1e6, answers }));
await model.close();
