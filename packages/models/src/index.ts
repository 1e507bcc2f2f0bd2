export type { Checkpoint, TensorInfo, WeightDtype } from "./checkpoint.ts";
export { generate } from "./generation.ts";
export { inputSite } from "./model.ts";
export type { Forward, Model, Site, SiteTensor, Step, StepOptions, StepResult } from "./model.ts";
export { openModel } from "./open-model.ts";
export type { OpenModelOptions } from "./open-model.ts";
export type { Tokenizer } from "./tokenizer.ts";
