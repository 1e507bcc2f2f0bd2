import { BadDataError, UsageError, isOptional, optionFlag } from "@mbs/contracts";
import type { ArtifactStream, Stage, StageInput, StageInputs, StageOptions } from "@mbs/contracts";
import { openInput, standardInputName, standardStream } from "../process/standard-streams.ts";

/** "--without-layers (write the model as it is)": how a stage does without an input; undefined where it cannot. */
function withoutInput({ options }: Stage, { unless }: StageInput): string | undefined {
  const option = unless === undefined ? undefined : options[unless];
  return option && unless && `${optionFlag(unless)} (${option.description})`;
}

async function openInputOf(
  stage: Stage,
  [name, input]: readonly [string, StageInput],
  path: string,
  signal: AbortSignal,
): Promise<ArtifactStream> {
  const stream = await openInput(path, { what: name, without: withoutInput(stage, input) }, signal);
  if (!input.kinds.includes(stream.schema.kind)) {
    throw new BadDataError(
      `${name} takes ${input.kinds.join(" or ")}, but ${path === standardStream ? standardInputName : path} holds ${stream.schema.kind}`,
      {
        input: name,
        kind: stream.schema.kind,
      },
    );
  }
  return stream;
}

/**
 * Where each input comes from. The first one comes from standard input unless files are named for it.
 *
 * @param named the paths given for each input
 * @param options of the stage: with some of them it reads no first input
 * @param fromPipe whether `-` was given as an argument, which reads an optional first input too
 * @throws {UsageError} on a missing input, too many files, or standard input named twice
 */
export function planInputs(
  stage: Stage,
  named: Readonly<Record<string, readonly string[]>>,
  options: StageOptions,
  fromPipe: boolean,
): ReadonlyMap<string, readonly string[]> {
  const plan = new Map<string, readonly string[]>();
  for (const [index, [name, input]] of Object.entries(stage.inputs).entries()) {
    const given = named[name] ?? [];
    const optional = isOptional(input, options);
    const paths = index === 0 && (fromPipe || (given.length === 0 && !optional)) ? [standardStream, ...given] : given;
    if (paths.length === 0 && !optional) {
      throw new UsageError(`${optionFlag(name)} FILE is required: ${input.description}`, { input: name });
    }
    if (paths.includes("")) throw new UsageError(`${optionFlag(name)} takes a path, not ""`, { input: name });
    if (paths.length > 1 && input.many !== true) {
      throw new UsageError(`${optionFlag(name)} takes one artifact, not ${paths.length}`, { input: name });
    }
    plan.set(name, paths);
  }
  if (fromPipe && plan.size === 0) throw new UsageError(`${stage.name} reads nothing from standard input; leave out the -`);
  if ([...plan.values()].flat().filter((path) => path === standardStream).length > 1) {
    throw new UsageError("standard input can be read once; name files for the other inputs");
  }
  return plan;
}

/** Opens all inputs of a stage; nothing but their heads is read. */
export async function openInputs(
  stage: Stage,
  plan: ReadonlyMap<string, readonly string[]>,
  signal: AbortSignal,
): Promise<StageInputs> {
  const inputs: Record<string, readonly ArtifactStream[]> = {};
  for (const entry of Object.entries(stage.inputs)) {
    const [name] = entry;
    const streams: ArtifactStream[] = [];
    for (const path of plan.get(name) ?? []) streams.push(await openInputOf(stage, entry, path, signal));
    inputs[name] = streams;
  }
  return inputs;
}
