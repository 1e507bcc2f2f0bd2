/**
 * Runs studies one after the other; what was done is not done again. `./scripts/study` calls it.
 *
 * usage: run-studies.ts NAME…|all [--output out/studies] [--seeds 3]
 */
import { once } from "node:events";
import { spawn } from "node:child_process";
import { parseArgs } from "node:util";
import { additivityStudy } from "./additivity-study.ts";
import { architecturesStudy } from "./architectures-study.ts";
import { hessiansStudy } from "./hessians-study.ts";
import { mixesStudy } from "./mixes-study.ts";
import { pairsStudy } from "./pairs-study.ts";
import { proportionsStudy } from "./proportions-study.ts";
import { segmentsStudy } from "./segments-study.ts";
import { sharesStudy } from "./shares-study.ts";
import { writeStudy } from "./study-page.ts";
import type { Study } from "./study.ts";
import { equalSubjects, openSubjects } from "./subject.ts";

const studies: readonly Study[] = [
  mixesStudy,
  pairsStudy,
  sharesStudy,
  proportionsStudy,
  architecturesStudy,
  hessiansStudy,
  segmentsStudy,
  additivityStudy,
];

const usage = `usage: ./scripts/study NAME…|all [--output FOLDER] [--seeds NUMBER]

${studies.map(({ name, title }) => `  ${name.padEnd(14)}${title}`).join("\n")}

Pages, pictures and numbers go to --output (out/studies), where a stopped study goes on.`;

/** Lines of progress on standard error, with the time left. */
function progressLine(study: Study, subject: string): (done: number, total: number) => void {
  const started = performance.now();
  let last = 0;
  return (done, total) => {
    const now = performance.now();
    if (now - last < 5_000 && done < total) return;
    last = now;
    const left = Math.round((((now - started) / 1000) * (total - done)) / Math.max(1, done));
    process.stderr.write(`${study.name}, ${subject}: ${done} of ${total}, about ${Math.ceil(left / 60)} min left\n`);
  };
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    output: { type: "string", default: "out/studies" },
    seeds: { type: "string", default: "3" },
    subject: { type: "string" },
    help: { type: "boolean", short: "h", default: false },
  },
});
const wanted = positionals.includes("all") ? studies : studies.filter(({ name }) => positionals.includes(name));
const unknown = positionals.find((name) => name !== "all" && !studies.some((study) => study.name === name));
if (values.help || wanted.length === 0 || unknown !== undefined) {
  if (unknown !== undefined) process.stderr.write(`study: no study ${unknown}\n`);
  process.stderr.write(`${usage}\n`);
  process.exit(values.help ? 0 : 2);
}
const modelsOf = ({ models = equalSubjects }: Study): readonly string[] => models;

/** Does the work of each model in a process of its own, so that all cores are busy; this process then finds all done. */
async function workApart(): Promise<void> {
  const running = [...new Set(wanted.flatMap(modelsOf))].map(async (subject) => {
    const worker = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1), "--subject", subject], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    const [code] = (await once(worker, "exit")) as [number | null];
    if (code !== 0) throw new Error(`the work on ${subject} ended with code ${code}; run again to go on`);
  });
  await Promise.all(running);
}

const seedCount = Number(values.seeds);
if (!Number.isSafeInteger(seedCount) || seedCount < 2) {
  process.stderr.write(`study: --seeds ${values.seeds} is no number from 2: without a second seed nothing says what is chance\n`);
  process.exit(2);
}
const apart = values.subject === undefined;
if (apart) await workApart();
const seeds = Array.from({ length: seedCount }, (_, seed) => seed);
for (const study of wanted) {
  const models = modelsOf(study).filter((name) => apart || name === values.subject);
  if (models.length === 0) continue;
  const subjects = await openSubjects(models, values.output);
  const context = { subjects, seeds, progress: apart ? () => undefined : progressLine(study, String(values.subject)) };
  if (!apart) {
    await study.work(context);
    continue;
  }
  const result = await study.run(context);
  process.stdout.write(`${await writeStudy(study, result, values.output)}\n`);
  for (const finding of result.findings) process.stdout.write(`  ${finding}\n`);
}
