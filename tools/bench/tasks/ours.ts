/**
 * Log-likelihoods as tasks are scored, in this process. Writes what peer.py writes, with the tokens that were computed.
 *
 * usage: node --import tsx tools/bench/tasks/ours.ts MODEL REQUESTS.json OUTPUT.json THREADS
 */
import { readFileSync, writeFileSync } from "node:fs";
import { countTokens, encodeTexts, scoreTexts } from "@mbs/evaluation";
import type { NamedText } from "@mbs/evaluation";
import { openScored } from "./scored-model.ts";

/** Texts that are packed together, as whole documents of four choices: 128 of them. */
const groupSize = 512;

const [path = "", requests = "", output = "", threads] = process.argv.slice(2);
const texts = (JSON.parse(readFileSync(requests, "utf8")) as [string, string][]).map(
  ([context, continuation], index): NamedText => ({ name: `request ${index}`, context, continuation }),
);
const { model, tokenizer, context, scored, options } = await openScored(path, threads);

async function score(some: readonly NamedText[]) {
  const encoded = encodeTexts(some, tokenizer, options);
  const groups = Array.from({ length: Math.ceil(some.length / groupSize) }, (_, group) =>
    encoded.slice(group * groupSize, (group + 1) * groupSize),
  );
  const found: { logLikelihood: number; tokens: number }[] = [];
  for await (const scores of scoreTexts(scored, groups, context)) found.push(...scores);
  return { groups, found };
}

const processorSeconds = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};
await score(texts.slice(0, 4));
const [started, processor] = [performance.now(), processorSeconds()];
const { groups, found } = await score(texts);
const seconds = (performance.now() - started) / 1000;
const spent = processorSeconds() - processor;
const counts = groups.map((group) => countTokens(group, { hiddenSize: model.hiddenSize, trees: {} }));
writeFileSync(
  output,
  JSON.stringify({
    seconds,
    processorSeconds: spent,
    tokens: counts.reduce((sum, { all }) => sum + all, 0),
    computed: counts.reduce((sum, { computed }) => sum + computed, 0),
    logLikelihoods: found.map(({ logLikelihood }) => logLikelihood),
    predicted: found.map(({ tokens }) => tokens),
    peakBytes: process.resourceUsage().maxRSS * 1024,
  }),
);
await model.close();
