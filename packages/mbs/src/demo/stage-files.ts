import { openArtifact, unpackFiles, writeArtifact } from "@mbs/artifacts";
import { InternalError, type Stage, type StageContext } from "@mbs/contracts";

/** Runs a stage on files: input names → paths. The first output goes to `output`, a folder where it is a model. */
export async function runOnFiles(
  stage: Stage,
  inputs: Readonly<Record<string, readonly string[]>>,
  options: Readonly<Record<string, unknown>>,
  output: string,
  context: StageContext,
): Promise<string> {
  const opened = await Promise.all(
    Object.entries(inputs).map(
      async ([name, paths]) => [name, await Promise.all(paths.map((path) => openArtifact(path)))] as const,
    ),
  );
  const outputs = await stage.run(Object.fromEntries(opened), options, context);
  const [first] = Object.values(outputs);
  if (first === undefined) throw new InternalError(`${stage.name} gave no output`, { stage: stage.name });
  if (first.schema.kind === "files") await unpackFiles(first, output, { force: true });
  else await writeArtifact(first, output, { force: true });
  return output;
}
