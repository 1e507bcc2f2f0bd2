import { cpus } from "node:os";
import { keepCached, parseJson, readCached } from "@mbs/artifacts";
import { availableProcessors, isObject, once } from "@mbs/contracts";
import { runtimeVersion } from "@mbs/onnx";
import { version } from "../version.ts";

/** Seconds of something, by what it is: the fewer, the faster the machine. */
type Seconds<Name extends string> = Readonly<Record<Name, number>>;

interface KeptSeconds<Name extends string> {
  readonly seconds: Seconds<Name>;
  /** Whether they were measured while no other program was at work. */
  readonly isQuiet: boolean;
}

/** What all rates of this machine depend on. */
const machine = (): readonly unknown[] => {
  const processors = cpus();
  return [processors[0]?.model, processors.length, availableProcessors(), process.arch, process.version, runtimeVersion, version];
};

const isSeconds = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value) && value >= 0;

function parseKept<Name extends string>(text: string, names: readonly Name[]): KeptSeconds<Name> | undefined {
  const value = parseJson(text);
  if (!isObject(value) || !isObject(value["seconds"])) return undefined;
  const found = value["seconds"];
  const entries = names.flatMap((name) => (isSeconds(found[name]) ? [[name, found[name]] as const] : []));
  if (entries.length < names.length) return undefined;
  return { seconds: Object.fromEntries(entries) as Seconds<Name>, isQuiet: value["isQuiet"] === true };
}

const shorter = <Name extends string>(names: readonly Name[], one: Seconds<Name>, other: Seconds<Name>): Seconds<Name> =>
  Object.fromEntries(names.map((name) => [name, Math.min(one[name], other[name])])) as Seconds<Name>;

const keyText = (key: readonly unknown[]): string => JSON.stringify([...machine(), ...key]);

async function readKept<Name extends string>(
  key: readonly unknown[],
  names: readonly Name[],
): Promise<KeptSeconds<Name> | undefined> {
  const text = await readCached("rates", keyText(key));
  return text === undefined ? undefined : parseKept(text, names);
}

/** What an earlier process measured of this machine, as `keptSeconds`; undefined where none did. */
export const readSeconds = async <Name extends string>(
  key: readonly unknown[],
  names: readonly Name[],
): Promise<Seconds<Name> | undefined> => (await readKept(key, names))?.seconds;

/** What was asked for in this process. */
const known = new Map<string, Promise<Seconds<string>>>();

/**
 * What was measured of this machine: by an earlier process, or now. What was measured while other programs were at work is measured
 * again when there are none, and the shorter kept; what cannot be read is measured again.
 *
 * @param key all that the seconds depend on beside the machine
 * @param names of the seconds that are measured
 * @param isQuiet whether no other program is at work now
 */
export function keptSeconds<Name extends string>(
  key: readonly unknown[],
  names: readonly Name[],
  isQuiet: boolean,
  measure: () => Promise<Seconds<Name>>,
): Promise<Seconds<Name>> {
  return once(known as Map<string, Promise<Seconds<Name>>>, keyText(key), async () => {
    const kept = await readKept(key, names);
    if (kept !== undefined && (kept.isQuiet || !isQuiet)) return kept.seconds;
    const measured = await measure();
    const seconds = shorter(names, kept?.seconds ?? measured, measured);
    await keepCached("rates", keyText(key), `${JSON.stringify({ seconds, isQuiet })}\n`);
    return seconds;
  });
}
