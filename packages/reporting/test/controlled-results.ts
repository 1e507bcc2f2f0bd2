import { fileURLToPath } from "node:url";
import { openArtifact } from "@mbs/artifacts";
import type { ReportInput } from "../src/collected.ts";

/**
 * Real results of the controlled model: SparseGPT and Wanda with three mixes, GPTQ with one, 8 windows of each language;
 * angles between languages. Made by tools/golden/results/make.sh.
 */
export const controlledResults = (): Promise<ReportInput[]> =>
  Promise.all(
    ["scores", "similarity"].map(async (name) => ({
      name,
      stream: await openArtifact(fileURLToPath(new URL(`fixtures/controlled-${name}.arrow`, import.meta.url))),
    })),
  );
