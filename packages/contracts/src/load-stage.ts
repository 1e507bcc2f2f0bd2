import { guardedStage } from "./guarded-stage.ts";
import { isObject } from "./value-checks.ts";
import { isTexts, loadCode, optionsFault } from "./load-code.ts";
import type { Schema } from "./batch.ts";
import type { Stage } from "./stage.ts";

const stageName = /^[a-z][a-z0-9-]*$/;

const isText = (value: unknown): boolean => typeof value === "string" && value !== "";

const isListOfTexts = (value: unknown): boolean => Array.isArray(value) && value.every(isText);

const isInput = (input: unknown): boolean =>
  isObject(input) && isListOfTexts(input["kinds"]) && typeof input["description"] === "string";

const isOutput = (output: unknown): boolean =>
  isObject(output) && stageName.test(String(output["kind"])) && typeof output["description"] === "string";

/** What keeps a value from being a stage, or undefined where it has the shape of one. */
export function stageFault(stage: unknown): string | undefined {
  if (!isObject(stage)) return "it has no default export that is a stage object";
  if (typeof stage["solve"] === "function") return "it is a solver: name it with --solver, or under compress in a recipe";
  const { name, summary, examples, inputs, outputs, options, run } = stage;
  if (typeof name !== "string" || !stageName.test(name)) return 'its name is not lower-case letters, digits and "-"';
  if (!isText(summary)) return "its summary is not a text";
  if (!isTexts(examples)) return "its examples are not a list of texts";
  if (!isObject(inputs) || !Object.values(inputs).every(isInput)) {
    return "its inputs are not a table of inputs with kinds and a description";
  }
  if (!isObject(outputs) || !Object.values(outputs).every(isOutput)) {
    return 'its outputs are not a table of outputs with a kind (lower-case letters, digits and "-") and a description';
  }
  if (Object.keys(outputs).length === 0) return "it has no output";
  for (const key of ["moreOptions", "holds", "allocationNeeds", "allocationWork", "checkPlan", "plannedSize"]) {
    if (stage[key] !== undefined && typeof stage[key] !== "function") return `its ${key} is not a function`;
  }
  return optionsFault(options) ?? (typeof run === "function" ? undefined : "its run is not a function");
}

/**
 * A stage that is not one of the program's, with checks of what it makes.
 *
 * @param nameOrPath a path such as `./mine.js`, or the name of an installed package
 * @param known names of the program's stages, for messages
 * @param checkSchema throws on a schema that no artifact of its kind has
 * @throws {UsageError} when there is none, or it does not have the shape of a stage
 */
export async function loadStage(
  nameOrPath: string,
  known: readonly string[],
  checkSchema: (schema: Schema) => void = () => undefined,
): Promise<Stage> {
  const kind = { noun: "stage", known, faultOf: stageFault, reference: "@mbs/contracts, defineStage" };
  return guardedStage((await loadCode(nameOrPath, kind)) as Stage, nameOrPath, checkSchema);
}
