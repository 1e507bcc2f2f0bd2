import { readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { stages } from "../../packages/mbs/src/stages.ts";
import { sourceFiles } from "./read-packages.ts";

/** Plans of the standard recipe and its keys: everything else in a host must use only what stages declare. */
const plans: ReadonlySet<string> = new Set([
  "packages/pipeline/src/plan/plan.ts",
  "packages/pipeline/src/plan/nodes/allocation-nodes.ts",
  "packages/pipeline/src/plan/nodes/capture-nodes.ts",
  "packages/pipeline/src/plan/nodes/compression-nodes.ts",
  "packages/pipeline/src/plan/nodes/evaluation-nodes.ts",
  "packages/pipeline/src/recipe/parse-recipe.ts",
  "packages/pipeline/src/recipe/recipe-keys.ts",
]);

const names = [...stages.keys()].join("|");
/** A comparison with a stage's name, a look-up of it, or a node of it. */
const mention = new RegExp(`(?:[!=]== |\\b(?:get|has|stageOf)\\([^)"]*|\\bstage: )"(${names})"`, "g");

/** Stages that a source names: "capture" of `if (name === "capture")`. */
export const stagesNamed = (source: string): string[] => [...source.matchAll(mention)].flatMap(([, name]) => name ?? []);

/** Places where a host asks for a stage by its name instead of by what the stage declares, one line each. */
export function findNamedStages(root: string): string[] {
  return ["pipeline", "host-cli", "host-grpc"]
    .flatMap((name) => sourceFiles(join(root, "packages", name, "src")))
    .map((path) => relative(root, path))
    .filter((file) => !plans.has(file))
    .flatMap((file) =>
      stagesNamed(readFileSync(join(root, file), "utf8")).map(
        (stage) => `${file}: a host names the stage ${stage}; let the stage declare what the host needs (contracts/src/stage.ts)`,
      ),
    );
}
