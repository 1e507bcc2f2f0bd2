/**
 * Times tasks against lm-evaluation-harness: the same requests, model, threads and machine, in turn. Prints a table of multiple
 * choice: tokens a second (of all requests, context and continuation), their ratio, and the largest difference of
 * log-likelihoods. These are compared with a run of lm-evaluation-harness that takes its softmax in float64: with its default,
 * float32, the sum over 262,144 tokens of Gemma 3 is off by 3e-5 nats a token, all in one direction.
 *
 * And one of written answers: seconds of all, and how many are the same.
 *
 * usage: node --import tsx tools/bench/tasks/run.ts --model M --output FOLDER --python PYTHON [--documents 16]
 *          [--languages en,de,…] [--threads 1,2] [--batches 1,8,16] [--answer-tokens 32] [--only answers|choices]
 *   --python   with lm_eval 0.4.13, torch and transformers
 *   --batches  what lm-evaluation-harness is given; of multiple choice the one with the fewest processor seconds counts
 *
 * Needs `npm run build`. Each measurement is a file in FOLDER; those that are there are not made again.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { markdownTable } from "../../pages/blocks.ts";
import { kinds, prompts } from "./requests.ts";

interface Spent {
  readonly seconds: number;
  readonly processorSeconds: number;
}

interface Answered extends Spent {
  readonly answers: readonly string[];
}

interface Measured extends Spent {
  readonly tokens: number;
  readonly computed?: number;
  readonly logLikelihoods: readonly number[];
  readonly predicted: readonly number[];
}

const { values } = parseArgs({
  options: {
    model: { type: "string" },
    output: { type: "string" },
    python: { type: "string" },
    documents: { type: "string", default: "16" },
    languages: { type: "string", default: "en,de,ru,zh-Hans,ta,vi" },
    threads: { type: "string", default: "1,2" },
    batches: { type: "string", default: "1,8,16" },
    "answer-tokens": { type: "string", default: "32" },
    only: { type: "string" },
  },
});
const { model, output, python } = values;
const { only } = values;
const isPart = only === undefined || only === "answers" || only === "choices";
if (model === undefined || output === undefined || python === undefined || !isPart) {
  throw new Error("usage: run.ts --model M --output FOLDER --python PYTHON [--only answers|choices]");
}
const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const folder = resolve(output);
mkdirSync(folder, { recursive: true });

/** A measurement: made where it is not there yet. @param args of the command, before and after the file */
function measure(name: string, command: string, args: (file: string) => readonly string[]): unknown {
  const file = join(folder, `${name}.json`);
  if (!existsSync(file)) {
    process.stderr.write(`bench: ${name}\n`);
    const { status, stderr } = spawnSync(command, args(file), { encoding: "utf8", maxBuffer: 2 ** 26 });
    if (status !== 0) throw new Error(`${name} failed:\n${stderr}`);
  }
  return JSON.parse(readFileSync(file, "utf8"));
}

const rows: string[][] = [];
for (const [kind, make] of only === "answers" ? [] : kinds) {
  const short = kind.replaceAll(" ", "-");
  const requests = join(folder, `${short}-requests.json`);
  writeFileSync(requests, JSON.stringify(make(values.languages.split(","), Number(values.documents))));
  for (const threads of values.threads.split(",")) {
    const peers = values.batches.split(",").map((batch) => {
      const own = ["--batch", batch, "--threads", threads];
      const found = measure(`${short}-${threads}-batch-${batch}`, python, (file) => [
        here("peer.py"),
        model,
        requests,
        file,
        ...own,
      ]) as Measured;
      return { batch, ...found };
    });
    const peer = peers.reduce((best, one) => (one.processorSeconds < best.processorSeconds ? one : best));
    const exact = measure(`${short}-exact`, python, (file) => [
      here("peer.py"),
      model,
      requests,
      file,
      "--batch",
      "8",
      "--threads",
      "2",
      "--softmax-dtype",
      "float64",
    ]) as Measured;
    const ours = measure(`${short}-${threads}-ours`, process.execPath, (file) => [
      "--import",
      "tsx",
      here("ours.ts"),
      model,
      requests,
      file,
      threads,
    ]) as Measured;
    if (ours.tokens !== peer.tokens || JSON.stringify(ours.predicted) !== JSON.stringify(peer.predicted)) {
      throw new Error(`${kind}: the tokens are not the same: ${ours.tokens} here, ${peer.tokens} there`);
    }
    const differences = ours.logLikelihoods.map((value, index) => Math.abs(value - (exact.logLikelihoods[index] ?? NaN)));
    const speed = ({ seconds, tokens }: Measured): number => tokens / seconds;
    const perProcessor = ({ processorSeconds, tokens }: Measured): number => tokens / processorSeconds;
    rows.push([
      kind,
      threads,
      String(ours.predicted.length),
      String(ours.tokens),
      String(ours.computed),
      `${speed(peer).toFixed(0)} (${peer.batch})`,
      speed(ours).toFixed(0),
      (speed(ours) / speed(peer)).toFixed(2),
      perProcessor(peer).toFixed(0),
      perProcessor(ours).toFixed(0),
      (perProcessor(ours) / perProcessor(peer)).toFixed(2),
      Math.max(...differences).toExponential(1),
    ]);
  }
}
const head = [
  "requests",
  "threads",
  "number",
  "tokens",
  "computed",
  "lm-evaluation-harness, tokens a second (batch)",
  "ours",
  "ratio",
  "lm-evaluation-harness, tokens a processor second",
  "ours",
  "ratio",
  "largest difference, nats",
];
if (rows.length > 0) process.stdout.write(`${markdownTable(head, rows)}\n`);

const answerRows: string[][] = [];
const texts = prompts(values.languages.split(","), Number(values.documents));
const tokens = values["answer-tokens"];
/** Measurements of other prompts or of longer answers are others. */
const written = `answers-${texts.length}-of-${tokens}`;
const asked = join(folder, `${written}.prompts.json`);
writeFileSync(asked, JSON.stringify(texts));
for (const threads of only === "choices" ? [] : values.threads.split(",")) {
  const ours = measure(`${written}-${threads}-ours`, process.execPath, (file) => {
    return ["--import", "tsx", here("answers.ts"), model, asked, file, threads, tokens];
  }) as Answered;
  for (const batch of values.batches.split(",")) {
    const peer = measure(`${written}-${threads}-batch-${batch}`, python, (file) => {
      return [here("answers.py"), model, asked, file, "--batch", batch, "--threads", threads, "--tokens", tokens];
    }) as Answered;
    const same = ours.answers.filter((answer, index) => answer.trim() === peer.answers[index]?.trim()).length;
    answerRows.push([
      threads,
      batch,
      `${same} of ${ours.answers.length}`,
      peer.seconds.toFixed(1),
      ours.seconds.toFixed(1),
      (peer.seconds / ours.seconds).toFixed(2),
      peer.processorSeconds.toFixed(1),
      ours.processorSeconds.toFixed(1),
      (peer.processorSeconds / ours.processorSeconds).toFixed(2),
    ]);
  }
}
const titles = ["threads", "harness's batch", "same answers", "harness, seconds", "ours", "ratio"];
const processorTitles = ["harness, processor seconds", "ours", "ratio"];
if (answerRows.length > 0) process.stdout.write(`${markdownTable([...titles, ...processorTitles], answerRows)}\n`);
