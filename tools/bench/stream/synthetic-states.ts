import { encodeStates } from "@mbs/artifacts";
import type { StateRecord } from "@mbs/artifacts";
import type { ArtifactStream } from "@mbs/contracts";
import type { Model } from "@mbs/models";

/** States before a model's first block: `segments` segments of `length` tokens, no two alike. */
export function syntheticStates(model: Model, segments: number, length: number): ArtifactStream {
  const width = model.hiddenSize;
  const pattern = Float32Array.from({ length: length * width }, (_, index) => ((index * 7) % 61) / 30 - 1);
  async function* records(): AsyncGenerator<StateRecord> {
    for (let segment = 0; segment < segments; segment++) {
      const values = pattern.slice();
      values[segment % values.length] = segment / segments;
      yield { segment, language: segment % 2 === 0 ? "en" : "mr", stream: "hidden", rows: length, width, values };
    }
  }
  return encodeStates(records(), { model: model.address, tokenizer: model.tokenizerAddress, blocks: 0, layers: [] });
}
