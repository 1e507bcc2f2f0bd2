import { encodeSegments } from "@mbs/artifacts";
import type { ArtifactStream, StageContext } from "@mbs/contracts";
import type { Model } from "@mbs/models";
import * as assert from "uvu/assert";
import { loadStages } from "../src/stages.ts";

const stages = await loadStages();
const context: StageContext = {
  signal: new AbortController().signal,
  progress: () => undefined,
  warn: (message) => assert.unreachable(message),
  threads: 1,
};

/** Runs a stage on one input and gives one of its outputs. A warning that is not expected fails the test. */
export async function stage(
  name: string,
  input: string,
  stream: ArtifactStream,
  options: object,
  output: string,
  expected?: RegExp,
): Promise<ArtifactStream> {
  const warn = (message: string) => (expected?.test(message) === true ? undefined : context.warn(message));
  const outputs = await stages.get(name)?.run({ [input]: [stream] }, options, { ...context, warn });
  const made = outputs?.[output];
  if (made === undefined) throw new Error(`stage ${name} made no ${output}`);
  return made;
}

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
