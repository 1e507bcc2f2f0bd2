import { encodeSegments } from "@mbs/artifacts";
import type { ArtifactStream, StageContext, StageInputs } from "@mbs/contracts";
import type { Model } from "@mbs/models";
import * as assert from "uvu/assert";
import { loadStages } from "../src/stages.ts";
import { present } from "./fixtures/present.ts";

const stages = await loadStages();

/** A context of one thread. @param warn default: warnings are passed over */
export const contextOf = (warn: StageContext["warn"] = () => undefined): StageContext => ({
  signal: new AbortController().signal,
  progress: () => undefined,
  warn,
  threads: 1,
});

/** Runs a stage and gives its first output. */
export async function runStage(
  name: string,
  inputs: StageInputs,
  options: object,
  context: StageContext = contextOf(),
): Promise<ArtifactStream> {
  const [made] = Object.values(await present(stages.get(name), `stage ${name}`).run(inputs, options, context));
  return present(made, `output of stage ${name}`);
}

/** The same on one input. A warning that is not expected fails the test. */
export const stage = (
  name: string,
  input: string,
  stream: ArtifactStream,
  options: object,
  expected?: RegExp,
): Promise<ArtifactStream> => {
  const warn = (message: string): void => {
    if (expected?.test(message) !== true) assert.unreachable(message);
  };
  return runStage(name, { [input]: [stream] }, options, contextOf(warn));
};

/** Segments of two languages, long enough to fill every Gram. */
export function segmentsFor(model: Model): ArtifactStream {
  const segments = Array.from({ length: 6 }, (_, segment) => ({
    segment,
    language: segment % 2 === 0 ? "en" : "mr",
    documents: 1,
    tokens: Int32Array.from({ length: 40 }, (_, at) => 4 + ((segment * 13 + at * at * 7 + at) % (model.vocabularySize - 4))),
  }));
  const unknown = { corpus: "c".repeat(64), distribution: "", mix: "equal", seed: 0, counts: {}, shortfall: {} };
  return encodeSegments(segments, { tokenizer: model.tokenizerAddress, length: 40, ...unknown });
}
