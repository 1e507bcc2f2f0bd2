/**
 * Evaluates a model as `mbs evaluate` does, in this process, and prints one line of JSON: seconds and processor seconds from
 * the first window's embedding to the last loss (weights are read in between), processor seconds of the whole process, peak
 * resident memory in bytes, perplexity.
 *
 * usage: node --import tsx tools/bench/evaluation/ours.ts MODEL CORPUS WINDOWS LENGTH THREADS ACTIVATIONS
 */
import { readScores } from "@mbs/artifacts";
import { evaluate } from "@mbs/evaluation";

const [model = "", corpus = "", windows, length, threads, activations] = process.argv.slice(2);
const processorSeconds = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};
let begun: { readonly at: number; readonly processor: number } | undefined;
const { scores } = await evaluate.run(
  {},
  { model: [model], corpus, windows: Number(windows), length: Number(length), bos: "off", activations },
  {
    signal: new AbortController().signal,
    progress: ({ activity }) => {
      if (activity.startsWith("evaluate")) begun ??= { at: performance.now(), processor: processorSeconds() };
    },
    warn: (message) => process.stderr.write(`${message}\n`),
    threads: Number(threads),
  },
);
if (scores === undefined) throw new Error("evaluate made no scores");
let [nats, tokens] = [0, 0];
for await (const score of readScores(scores)) {
  nats += score.nll;
  tokens += score.tokens;
}
if (begun === undefined) throw new Error("evaluate reported no progress");
const measured = {
  seconds: (performance.now() - begun.at) / 1000,
  processorSeconds: processorSeconds() - begun.processor,
  wholeProcessorSeconds: processorSeconds(),
  peakBytes: process.resourceUsage().maxRSS * 1024,
  perplexity: Math.exp(nats / tokens),
};
process.stdout.write(`${JSON.stringify(measured)}\n`);
