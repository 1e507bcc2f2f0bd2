/** Writes docs/recipes.md: node --conditions=mbs-source --import tsx tools/recipe-reference/generate.ts */
import { writeFile } from "node:fs/promises";
import { recipeReference } from "./reference.ts";

await writeFile(new URL("../../docs/recipes.md", import.meta.url), await recipeReference());
