/**
 * Counts what docs/reliability.md states of mutated inputs: bytes, numbers, parts and keys of sound inputs are changed at
 * random, and every reader must refuse the result, or read it as another sound input.
 *
 * usage: node --conditions=mbs-source --import tsx tools/reliability/mutate.ts [--reader NAME,…|all] [--count N] [--first N] [--seed S] [--only NUMBER] [--json]
 *   --reader  default all: see mutations/readers.ts
 *   --count   mutations of each reader (default 10000)
 *   --first   number of the first, so that many can be made in parts (default 0)
 *   --seed    of all that is random (default 0)
 *   --only    one mutation of one reader, in this process and without limits, which shows where it fails
 *   --json    print the counts as JSON
 *
 * Exits with 1 where a mutation crashed or stopped its process, took too much memory, failed with an error that is none of bad
 * data, or was read as something that it does not say; each is named by its number.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { at } from "@mbs/contracts";
import { drawOf } from "./mutations/draw.ts";
import { mutated, refusalOf } from "./mutations/input.ts";
import { readers } from "./mutations/readers.ts";
import { runMutations } from "./mutations/run-mutations.ts";

const { values } = parseArgs({
  options: {
    reader: { type: "string", default: "all" },
    count: { type: "string", default: "10000" },
    first: { type: "string", default: "0" },
    seed: { type: "string", default: "0" },
    only: { type: "string" },
    json: { type: "boolean", default: false },
  },
});
const names = values.reader === "all" ? [...readers.keys()] : values.reader.split(",");
const [count, first, seed] = [Number(values.count), Number(values.first), Number(values.seed)];
const only = values.only === undefined ? undefined : Number(values.only);
const isNumber = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;
if (
  !names.every((name) => readers.has(name)) ||
  ![count - 1, first, only ?? 0].every(isNumber) ||
  !Number.isSafeInteger(seed) ||
  (only !== undefined && names.length > 1)
) {
  console.error(
    `usage: tools/reliability/mutate.ts [--reader ${[...readers.keys()].join("|")}|all] [--count N] [--first N] [--seed S] [--only NUMBER of one reader]`,
  );
  process.exit(2);
}

/** One mutation in this process; its bytes stay in a file. */
async function readOne(name: string, number: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "mbs-mutation-"));
  try {
    const inputs = (await readers.get(name)?.(folder)) ?? [];
    const input = at(inputs, number % inputs.length);
    const bytes = mutated(input, drawOf(seed, name, number));
    const path = join(tmpdir(), `${name}-${seed}-${number}`);
    await writeFile(path, bytes);
    console.log(`${input.name}: ${bytes.length} bytes in ${path}`);
    const refusal = await refusalOf(input, bytes);
    console.log(refusal === undefined ? "read" : `refused: ${refusal}`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

if (only !== undefined) {
  await readOne(at(names, 0), only);
} else {
  const parts = names.map((reader) => ({ reader, first, count }));
  const counts = await runMutations({ seed, parts, note: (line) => console.error(line) });
  for (const { reader, mutations, read, seconds, faults } of counts) {
    if (values.json) console.log(JSON.stringify({ reader, seed, first, mutations, read, seconds, faults: faults.length }));
    else
      console.log(
        `${reader}: ${mutations} mutations, ${read} read, ${faults.length} faults, ${seconds.toFixed(1)} s of processor`,
      );
  }
  if (counts.some(({ faults }) => faults.length > 0)) process.exitCode = 1;
}
