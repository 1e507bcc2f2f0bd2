import { encodeFiles } from "@mbs/artifacts";
import { BadDataError, parseOptions, type OptionTable, type Stage, type StageContext, type StageInputs } from "@mbs/contracts";
import { openModel, type Model } from "@mbs/models";
import { spoolLayers } from "./layer-spool.ts";
import { modelFiles } from "./model-files.ts";

const options = {
  model: { kind: "resource", resource: "model", description: "folder of the model that was compressed" },
} as const satisfies OptionTable;

async function* emit(model: Model, inputs: StageInputs, context: StageContext) {
  try {
    const spool = await spoolLayers(model, inputs["layers"] ?? [], context.signal);
    try {
      if (spool.layers.size === 0) throw new BadDataError("the layers artifact holds no layer; nothing was compressed");
      for await (const piece of modelFiles(model, spool)) {
        context.signal.throwIfAborted();
        yield piece;
      }
    } finally {
      await spool.close();
    }
  } finally {
    await model.close();
  }
}

/** Stage: layers and the model they came from → the files of a Hugging Face model folder. Holds a piece of a tensor at a time. */
export const assemble: Stage = {
  name: "assemble",
  summary: "Write a model folder from layers and the model they were made from.",
  examples: [
    "mbs assemble --model bloom-560m/ --output smaller/ < layers.arrow",
    "mbs assemble --model bloom-560m/ --layers layers-0.arrow --layers layers-1.arrow --output smaller/",
  ],
  inputs: { layers: { kinds: ["layers"], many: true, description: "layers of every compressed step" } },
  outputs: { files: { kind: "files", description: "the model folder" } },
  options,
  async run(inputs, raw, context) {
    const { model: folder } = parseOptions(options, raw, "assemble");
    const model = await openModel(folder);
    return { files: encodeFiles(emit(model, inputs, context), { model: model.address }) };
  },
};
