// Runs a recipe at a queue as `mbs run --engine queue` does, with short times: argv = recipe, place of the queue as JSON, store.
// Prints a line for each node: its id, and whether it was done now.
import { runProgram } from "@mbs/host-cli";
import { readRecipe, run } from "@mbs/pipeline";
import { stages } from "mbs";
import { writeRunCard } from "../../../packages/mbs/src/results/card-writer.ts";
import { childCommand, queuePlace, timings } from "./settings.ts";

const [recipe = "", place = "", store = ""] = process.argv.slice(2);
await runProgram("queue-run", { debug: true }, async (signal) => {
  await run(await readRecipe(recipe), {
    stages: new Map(await Promise.all([...stages].map(async ([name, { load }]) => [name, await load()] as const))),
    workers: { command: childCommand },
    queue: { ...queuePlace(place), store, timings },
    signal,
    warn: (line) => void process.stderr.write(`${line}\n`),
    describe: ({ model, ...made }) => writeRunCard(model, made, () => undefined),
    onNode: ({ id, seconds }) => void process.stdout.write(`${JSON.stringify({ id, seconds })}\n`),
  });
});
