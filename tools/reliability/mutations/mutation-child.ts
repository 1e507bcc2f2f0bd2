/**
 * Reads mutations of the inputs of readers, one after the other, for tools/reliability/mutations/run-mutations.ts.
 *
 * usage: mutation-child.ts PLACE REQUEST
 *   PLACE    file that says at any time which mutation is read: the number of the part and its own, 4 bytes each;
 *            inputs are written to folders beside it
 *   REQUEST  a MutationRequest as JSON
 */
import { mkdirSync, openSync, writeSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { dirname, join } from "node:path";
import { at } from "@mbs/contracts";
import { drawOf } from "./draw.ts";
import { mutated, refusalOf } from "./input.ts";
import type { Reader } from "./input.ts";
import { noMutation } from "./run-mutations.ts";
import type { MutationReport, MutationRequest, ReaderRequest } from "./run-mutations.ts";

const [place = "", request = "{}"] = process.argv.slice(2);
const { seed, most, memory, readers: module, parts } = JSON.parse(request) as MutationRequest;
const { readers } = (await import(module)) as { readers: ReadonlyMap<string, Reader> };
const say = (report: MutationReport): Promise<void> => new Promise((done) => process.send?.(report, undefined, {}, () => done()));

// the process that asked is gone
process.on("disconnect", () => process.exit(1));

const file = openSync(place, "r+");
const mark = Buffer.alloc(8);
function markPlace(part: number, number: number): void {
  mark.writeUInt32LE(part, 0);
  mark.writeUInt32LE(number, 4);
  writeSync(file, mark, 0, 8, 0);
}

const described = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message).split("\n").slice(0, 6).join("\n") : String(error);

/** Largest memory that this process has had, in bytes. */
const mostMemory = (): number => process.resourceUsage().maxRSS * 1024;

async function readPart({ reader, first, count }: ReaderRequest, part: number, folder: string): Promise<void> {
  markPlace(part, noMutation);
  const inputs = await readers.get(reader)?.(folder);
  if (inputs === undefined) throw new Error(`no reader ${reader}`);
  // of the sound inputs, none may be refused
  if (first === 0) for (const input of inputs) await input.read(input.bytes);
  let [read, faults, begun] = [0, 0, process.cpuUsage().user];
  for (let number = first; number < first + count && faults < most; number++) {
    markPlace(part, number);
    const input = at(inputs, number % inputs.length);
    const bytes = mutated(input, drawOf(seed, reader, number));
    try {
      if ((await refusalOf(input, bytes)) === undefined) read++;
      if (memory > 0 && mostMemory() > memory) throw new Error(`the process has used ${Math.round(mostMemory() / 2 ** 20)} MiB`);
    } catch (error) {
      faults++;
      await say({ kind: "fault", reader, number, input: input.name, what: described(error) });
    }
    // its largest memory never becomes less
    const isFull = memory > 0 && mostMemory() > memory;
    if ((number + 1) % 1000 === 0 || number + 1 === first + count || isFull) {
      const { user } = process.cpuUsage();
      await say({ kind: "done", reader, next: number + 1, read, seconds: (user - begun) / 1e6 });
      [read, begun] = [0, user];
    }
    if (isFull) process.exit(1);
  }
}

const root = await mkdtemp(join(dirname(place), "inputs-"));
for (const [part, each] of parts.entries()) {
  const folder = join(root, each.reader);
  mkdirSync(folder);
  await readPart(each, part, folder);
}
process.removeAllListeners("disconnect");
await say({ kind: "end" });
process.disconnect();
