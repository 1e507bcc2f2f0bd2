/** A recipe, as `mbs run` takes it. */
export interface RecipeCase {
  readonly name: string;
  /** Commands before it, whose outputs it names as `@model`. */
  readonly lines?: readonly string[];
  readonly recipe: object;
}

/** Commands by hand: `compress --model M < factors > layers` reads and writes what is named so; `@layers` names it elsewhere. */
export interface HandCase {
  readonly name: string;
  readonly lines: readonly string[];
}

/** Lines of a shell, run by the real program; `@layers` is a file of the case. */
export interface PipeCase {
  readonly name: string;
  readonly pipe: string;
}

export type Case = RecipeCase | HandCase | PipeCase;

export const bloom = "datasets/controlled-bloom-small";
/** 256 columns and more, so that its rows are whole blocks of every GGUF type. */
export const llama = "datasets/controlled-llama";
export const calibration = "datasets/controlled-texts/calibration.yaml";
export const heldout = "datasets/controlled-texts/heldout.yaml";
export const forward = "packages/models/test/fixtures/forward";
export const gguf = "packages/models/test/fixtures/gguf/models";

// models and texts that fixtures.ts writes; WORK is the folder of the cases
export const tiny = (width: number): string => `WORK/tiny-${width}`;
export const sharded = "WORK/tiny-sharded";
export const untied = "WORK/untied-256";
const texts = "WORK/texts";
const heldoutTexts = "WORK/heldout";

export const hand = (name: string, ...lines: readonly (string | readonly string[])[]): HandCase => ({
  name: `hand-${name}`,
  lines: lines.flat(),
});

// of models that read the controlled texts
export const sampled = (model: string): string =>
  `sample --model ${model} --corpus ${calibration} --mix en=3,mr=2,ja=1 --length 64 > segments`;
export const captured = (model: string, options = ""): string[] => [
  sampled(model),
  `capture --model ${model} ${options} < segments > statistics`,
];
export const factored = (model: string, options = "", ofCapture = ""): string[] => [
  ...captured(model, ofCapture),
  `factor ${options} < statistics > factors`,
];
export const evaluated = (model: string): string =>
  `evaluate --model ${model} --model @model --corpus ${heldout} --languages en,mr --windows 2 --length 64 > scores`;
/** Pooled, since its widest Grams are large. */
export const llamaFactored = [...captured(llama, "--grams pooled"), "factor < statistics > factors"];

// of tiny models, which read the texts that are made for them
export const tinyCaptured = (model: string, options = ""): string[] => [
  `sample --model ${model} --corpus ${texts} --mix en=3,mr=2,ja=1 --length 48 > segments`,
  `capture --model ${model} ${options} < segments > statistics`,
];
export const tinyFactored = (model: string, ofCapture = ""): string[] => [
  ...tinyCaptured(model, ofCapture),
  "factor < statistics > factors",
];
export const tinyEvaluated = (model: string): string =>
  `evaluate --model ${model} --model @model --corpus ${heldoutTexts} --windows 1 --length 48 > scores`;

// of any
export const compress = (model: string, options: string): string => `compress --model ${model} ${options} < factors > layers`;
export const rounded = (model: string, options: string): string =>
  `compress --model ${model} --solver rtn ${options} --without-factors > layers`;
export const assemble = (model: string, format: string): string =>
  `assemble --model ${model} --format ${format} < layers > model`;
export const exported = `assemble --model ${tiny(64)} --format onnx --without-layers > exported`;

/** A recipe of the controlled model. */
export const recipe = (name: string, keys: object): RecipeCase => ({
  name: `recipe-${name}`,
  recipe: {
    model: bloom,
    corpus: calibration,
    sample: { mix: "en=3,mr=2,ja=1", length: 64 },
    evaluate: { corpus: heldout, languages: ["en", "mr"], windows: 1, length: 64 },
    ...keys,
  },
});

/** A recipe of a tiny model. */
export const tinyRecipe = (name: string, model: string, keys: object): RecipeCase =>
  recipe(name, {
    model,
    corpus: texts,
    sample: { mix: "en=3,mr=2,ja=1", length: 48 },
    evaluate: { corpus: heldoutTexts, windows: 1, length: 48 },
    ...keys,
  });
