import { encodeFiles } from "@mbs/artifacts";
import type { FilePiece } from "@mbs/artifacts";
import { at, BadDataError, defineStage, formatBytes } from "@mbs/contracts";
import type { OptionTable, StageContext } from "@mbs/contracts";
import {
  cardFile,
  configOf,
  filePieces,
  hasFile,
  listCarriedFiles,
  mayHoldModel,
  openModel,
  renameJoined,
  rotationKey,
  rotationKinds,
  weightFile,
  weightIndex,
  wholeTensors,
} from "@mbs/models";
import type { ArchitectureModel, OutputFile, RotationRecord, WrittenFile } from "@mbs/models";
import { findNonfinite, hasHadamard } from "@mbs/numbers";
import { createDoubleBlas } from "@mbs/onnx";
import { rotatedTensors } from "./rotated-tensors.ts";
import type { RotatedTensor } from "./rotated-tensors.ts";
import { makeRotations, requireRotatable } from "./rotations.ts";
import type { Rotations, RotationSettings } from "./rotations.ts";

const options = {
  model: { kind: "resource", resource: "model", description: "the dense model" },
  stream: {
    kind: "choice",
    choices: rotationKinds,
    default: "hadamard",
    description: "rotation of the residual stream (R1): a Hadamard matrix with random signs, a random orthogonal one, or none",
  },
  values: {
    kind: "choice",
    choices: rotationKinds,
    default: "hadamard",
    description: "rotation of the values of attention heads (R2), another in each block",
  },
  seed: { kind: "integer", description: "seed of the random signs and matrices", default: 0 },
} as const satisfies OptionTable;

const bytesOf = (tensors: readonly RotatedTensor[]): number => tensors.reduce((sum, { info }) => sum + info.bytes, 0);

/** @throws {BadDataError} where rotated values are too large for float32, with tensor and index; `first` is that of the first one */
function requireFinite(tensor: string, values: Float32Array, first: number): void {
  const wrong = findNonfinite(values);
  if (wrong < 0) return;
  throw new BadDataError(
    `tensor ${tensor} would have ${at(values, wrong)} at index ${first + wrong} once it is rotated: weights and norms of the source are too large; repair the model`,
    { tensor, index: first + wrong },
  );
}

const asBytes = ({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array => new Uint8Array(buffer, byteOffset, byteLength);

function writtenFile(file: string, tensors: readonly RotatedTensor[], onTensor: () => void): WrittenFile {
  const byName = new Map(tensors.map((tensor) => [tensor.info.name, tensor]));
  return {
    file,
    metadata: { format: "pt" },
    tensors: tensors.map(({ info }) => info),
    async *read({ name }) {
      let first = 0;
      for await (const values of byName.get(name)?.values() ?? []) {
        requireFinite(name, values, first);
        first += values.length;
        yield asBytes(values);
      }
      onTensor();
    },
  };
}

/** The files of a rotated model, by their paths. */
async function listFiles(
  model: ArchitectureModel,
  settings: RotationSettings,
  tensors: ReadonlyMap<string, readonly RotatedTensor[]>,
  onTensor: () => void,
): Promise<readonly OutputFile[]> {
  const { address: source, writtenDtype, dtype } = model;
  const record: RotationRecord = { ...settings, source, dtype: writtenDtype ?? dtype };
  // the card too, which says under which license the weights are
  const cards = (await hasFile(model.files, cardFile)) ? [cardFile] : [];
  const carried = [...(await listCarriedFiles(model.files)), ...cards].map((path): OutputFile => ({
    path,
    content: () => model.files.read(path),
  }));
  const written = new Map([...tensors.values()].flat().map((tensor) => [tensor.source, tensor.info.name]));
  const weights = wholeTensors(
    model.layout.joined?.map((tensor) => renameJoined(tensor, (name) => written.get(name) ?? name)),
    [...tensors].map(([file, own]) => writtenFile(file, own, onTensor)),
  );
  const untied = settings.stream === "none" ? {} : { tie_word_embeddings: false };
  const config = await configOf(model, { dtype: "f32", more: { ...untied, [rotationKey]: record } });
  const made = [...weights.map(weightFile), ...weightIndex(weights), config];
  const byPath = new Map([...carried, ...made].map((file) => [file.path, file]));
  return [...byPath.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Says what the user would not expect: another matrix than asked for, and what the folder takes up. */
function noteChoices(
  settings: RotationSettings,
  { stream, values }: Rotations,
  all: readonly RotatedTensor[],
  warn: (line: string) => void,
): void {
  const [head] = values ?? [];
  const replaced = [
    { kind: settings.stream, size: stream?.rows, what: "residual stream" },
    { kind: settings.values, size: head?.rows, what: "values" },
  ];
  for (const { kind, size, what } of replaced) {
    if (kind !== "hadamard" || size === undefined || hasHadamard(size)) continue;
    warn(`no Hadamard matrix of order ${size} is known here: the ${what} get a random orthogonal one`);
  }
  for (const { info, isAdded } of all) {
    if (!isAdded) continue;
    warn(
      `the head is no longer the embedding: ${info.name} is added, ${formatBytes(info.bytes)} of ${formatBytes(bytesOf(all))}`,
    );
  }
}

async function* rotateAll(
  model: ArchitectureModel,
  settings: RotationSettings,
  { signal, progress, warn, threads, pool }: StageContext,
): AsyncGenerator<FilePiece> {
  const blas = createDoubleBlas({ threads, pool });
  try {
    const rotations = makeRotations(model, settings);
    const tensors = await rotatedTensors({ model, rotations, blas });
    const all = [...tensors.values()].flat();
    noteChoices(settings, rotations, all, warn);
    let done = 0;
    const onTensor = (): void => {
      done += 1;
      progress({ activity: "rotate", done, total: all.length, unit: "tensors" });
    };
    for (const file of await listFiles(model, settings, tensors, onTensor)) yield* filePieces(file, "rotate", signal);
  } finally {
    await blas.release();
    await model.close();
  }
}

/**
 * Stage `rotate`: a dense model to one that computes the same with weights in another basis.
 *
 * The weights of norms are folded into what reads them, the residual stream gets the basis R (R1 of SpinQuant), and the values of
 * each block's heads one of their own (R2). Its weights are float32, so that nothing is rounded that was not; what is made of it
 * is written in the dtype of the source. A model whose norms subtract the mean keeps it: R leaves the vector of ones as it is.
 *
 * @see arXiv:2404.00456, arXiv:2405.16406
 */
export const rotate = defineStage({
  name: "rotate",
  summary: "Rotate the weights of a dense model so that it computes the same and quantises better.",
  examples: [
    "mbs rotate --model M --output rotated/",
    "mbs rotate --model GEMMA --stream none --output rotated/",
    "mbs capture --model rotated/ < segments.arrow > statistics.arrow",
  ],
  inputs: {},
  outputs: {
    files: { kind: "files", description: "the folder of the rotated model", folder: true, mayHold: mayHoldModel },
  },
  options,
  async run(_, { model: name, ...settings }, context) {
    const model = await openModel(name, context);
    try {
      const dense = await requireRotatable(model, settings);
      return { files: encodeFiles(rotateAll(dense, settings, context), { model: model.address }) };
    } catch (error) {
      await model.close();
      throw error;
    }
  },
});
