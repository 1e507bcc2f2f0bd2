import { openCorpus, readDistribution } from "@mbs/corpora";
import { openModel } from "@mbs/models";
import { join } from "node:path";
import { Lab } from "./lab.ts";

/** A controlled model with its texts: what is studied. */
export interface Subject {
  readonly name: string;
  /** Where its captures and trials are kept. */
  readonly lab: Lab;
  readonly folder: string;
  /** "bloom", "llama", … */
  readonly architecture: string;
  readonly layers: number;
  readonly width: number;
  /** Content address of the model. */
  readonly address: string;
  /** Language → share of the training tokens, largest first. */
  readonly shares: ReadonlyMap<string, number>;
  readonly calibration: string;
  readonly calibrationAddress: string;
  readonly heldOut: string;
  readonly heldOutAddress: string;
}

const calibration = "datasets/controlled-texts/calibration.yaml";
const heldOut = "datasets/controlled-texts/heldout.yaml";

async function openSubject(name: string, folder: string, output: string): Promise<Subject> {
  const model = await openModel(folder);
  await model.close();
  const { shares } = await readDistribution(folder);
  return {
    name,
    lab: await Lab.open(join(output, name), 1),
    folder,
    architecture: model.architecture,
    layers: model.steps.length,
    width: model.hiddenSize,
    address: model.address,
    shares: new Map([...shares].sort(([, a], [, b]) => b - a)),
    calibration,
    calibrationAddress: await (await openCorpus(calibration)).address,
    heldOut,
    heldOutAddress: await (await openCorpus(heldOut)).address,
  };
}

const folders: ReadonlyMap<string, string> = new Map([
  ["BLOOM-small", "datasets/controlled-bloom-small"],
  ["BLOOM", "datasets/controlled-bloom"],
  ["BLOOM-large", "datasets/controlled-bloom-large"],
  ["Llama", "datasets/controlled-llama"],
]);

/** The controlled models of one size and two architectures, which most studies ask. */
export const equalSubjects: readonly string[] = ["BLOOM", "Llama"];

/** All controlled models: one architecture in several sizes, and another one. */
export const allSubjects: readonly string[] = [...folders.keys()];

/** The controlled models of these names, on the same texts and tokenizer, with what is known of them under `output`. */
export const openSubjects = (names: readonly string[], output: string): Promise<Subject[]> =>
  Promise.all(names.map((name) => openSubject(name, folders.get(name) ?? name, output)));
