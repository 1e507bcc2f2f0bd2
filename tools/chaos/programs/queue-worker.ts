// A worker at a queue as `mbs work` is one, with short times: argv = place of the queue as JSON, store, folder of models, cache.
import { runProgram, toMbsError } from "@mbs/host-cli";
import { work } from "@mbs/pipeline";
import { stages } from "mbs";
import { childCommand, queuePlace, timings } from "./settings.ts";

const [place = "", store = "", modelRoot = "", cache = ""] = process.argv.slice(2);
const say = (line: string): void => void process.stderr.write(`${line}\n`);
await runProgram("queue-worker", { debug: false }, async (signal) => {
  await work({
    ...queuePlace(place),
    store,
    modelRoot,
    cache,
    cacheLimit: 1 << 30,
    stages: new Map([...stages].map(([name, { load }]) => [name, load])),
    command: childCommand,
    toError: toMbsError,
    signal,
    say,
    warn: say,
    progress: () => undefined,
    timings,
  });
});
