import { join } from "node:path";
import { ArtifactStore, openArtifact, unpackFiles } from "@mbs/artifacts";
import type { StageContext } from "@mbs/contracts";
import { readRecipe, run } from "@mbs/pipeline";
import type { Stages } from "@mbs/pipeline";

/** One model of the demo: the controlled model as it is, or compressed. */
export interface DemoModel {
  /** Name of its folder. */
  readonly name: string;
  readonly title: string;
  /** Bits of a weight; undefined for the dense model. */
  readonly bits?: number;
}

export const demoModels: readonly DemoModel[] = [
  { name: "dense", title: "dense, 16 bits" },
  { name: "gptq-4bit", title: "GPTQ, 4 bits", bits: 4 },
  { name: "gptq-3bit", title: "GPTQ, 3 bits", bits: 3 },
];

/**
 * Of the compressed models: embedding and head, a quarter of this small model's weights, in 8 bits too, and products of
 * activations rounded to 8 bits. docs/onnx.md tables what each costs.
 */
const compact = { embeddings: "int8", accuracyLevel: "4" };

interface WriteOptions {
  readonly stages: Stages;
  readonly context: StageContext;
  /** Folder of the runs. */
  readonly runs: string;
  /** Folder of the models, one a folder below it. */
  readonly models: string;
}

/** Compresses the controlled model as `recipes/gptq-3bit.yaml` says, but for the bits; returns the files of its layers. */
async function compressedLayers(
  bits: number,
  { stages, context, runs }: WriteOptions,
): Promise<{ model: string; layers: string[] }> {
  const { evaluate: _, ...recipe } = await readRecipe("recipes/gptq-3bit.yaml");
  const { folder, nodes } = await run(
    { ...recipe, compress: { ...recipe.compress, bits }, output: join(runs, `gptq-${bits}bit`) },
    { ...context, stages },
  );
  const store = new ArtifactStore(folder.artifacts);
  const made = nodes.filter(({ stage }) => stage === "compress");
  return { model: recipe.model, layers: made.map(({ address }) => store.path(address)) };
}

/** Writes every model of the demo as ONNX. Runs in the repository's root; what an earlier call has written is replaced. */
export async function writeModels(options: WriteOptions): Promise<void> {
  const { stages, context, models } = options;
  const assemble = stages.get("assemble");
  if (assemble === undefined) throw new Error("there is no stage assemble");
  for (const { name, bits } of demoModels) {
    const { model, layers } =
      bits === undefined ? { model: "datasets/controlled-bloom", layers: [] } : await compressedLayers(bits, options);
    const streams = await Promise.all(layers.map((path) => openArtifact(path)));
    const given = { model, format: "onnx", card: false, ...(bits === undefined ? {} : compact) };
    const { files } = await assemble.run({ layers: streams }, given, context);
    if (files === undefined) throw new Error("assemble wrote no files");
    await unpackFiles(files, join(models, name), { force: true });
  }
}
