import { isAddress, parseJson } from "@mbs/artifacts";
import { BadDataError, UsageError, isObject, quoted } from "@mbs/contracts";
import type { KeptNeeds, RunNeeds } from "./shared-store.ts";

const runPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;
/** Of the record's form. */
const version = 1;

/** @throws {UsageError} on what names no run; such a text must not become a part of a path */
export function requireRun(run: string): void {
  if (runPattern.test(run)) return;
  throw new UsageError(`${quoted(run)} names no run: up to 100 letters, digits, ".", "_" and "-" do`, { run: run.slice(0, 80) });
}

/** The name of a run's record in a store. */
export const needsName = (run: string): string => `runs/${run}.json`;

/** The run of a record's name; undefined for other files. */
export function runOfName(name: string): string | undefined {
  const [, run] = /^runs\/(.*)\.json$/.exec(name) ?? [];
  return run !== undefined && runPattern.test(run) ? run : undefined;
}

/** The record as a store keeps it, JSON. */
export function needsText({ run, addresses, note }: RunNeeds): string {
  return `${JSON.stringify({ version, run, ...(note !== undefined && { note }), addresses: [...new Set(addresses)] })}\n`;
}

const areAddresses = (value: unknown): value is string[] => Array.isArray(value) && value.every(isAddress);

/**
 * Reads a record of a run's needs.
 *
 * @param where it lies, for messages
 * @throws {BadDataError} where it is none, or of another version
 */
export function parseNeeds(text: string, run: string, where: string, written: Date): KeptNeeds {
  const found = parseJson(text);
  const refuse = (why: string): never => {
    throw new BadDataError(`${where}: ${why}; if the run is over, remove the file, otherwise what it needs is not known`, {
      run,
    });
  };
  if (!isObject(found)) return refuse("no record of what a run needs");
  if (found["version"] !== version) {
    return refuse(`a record of version ${quoted(found["version"])}, where this program reads ${version}`);
  }
  const { addresses, note } = found;
  if (found["run"] !== run || !areAddresses(addresses)) return refuse("a damaged record of what a run needs");
  return { run, addresses, written, ...(typeof note === "string" && { note }) };
}
