import type { Collected } from "./collected.ts";
import { ofKind } from "./collected.ts";
import { groupBy } from "@mbs/contracts";
import { byTrainingShare, numberOf } from "./language-order.ts";
import type { NumbersByName } from "@mbs/artifacts";
import type { CaptionedTable, Section } from "./page/section.ts";
import { headings } from "./terminal/table.ts";

/** A recipe as `mbs run` writes it beside its results. */
export interface RecipeText {
  readonly name: string;
  readonly text: string;
}

/** Models by their address in the scores. */
function modelsTable(artifacts: readonly Collected[]): CaptionedTable[] {
  const scores = ofKind(artifacts, "scores").flatMap(({ records }) => records);
  const models = [...groupBy(scores, ({ model }) => model)].map(([model, [{ address }]]) => [model, address]);
  if (models.length === 0) return [];
  return [{ caption: "Models", table: { columns: headings(["model", "content address"], []), rows: models }, open: false }];
}

function settingsOf(artifact: Collected): string {
  switch (artifact.kind) {
    case "scores":
      return `windows of ${artifact.metadata.length} tokens, corpus ${artifact.metadata.corpus}`;
    case "segments":
      return `mix ${artifact.metadata.mix}, segments of ${artifact.metadata.length} tokens, seed ${artifact.metadata.seed}, corpus ${artifact.metadata.corpus}`;
    case "mixes":
      return `from ${artifact.metadata.model} above ${artifact.metadata.dense}`;
    case "damage":
      return `solver ${artifact.metadata.solver}, model ${artifact.metadata.model}`;
    case "similarity":
    case "statistics":
      return `model ${artifact.metadata.model}`;
  }
}

const textOf = (tokens: Readonly<Record<string, number>>): [string, number][] =>
  Object.entries(tokens).sort(([, a], [, b]) => b - a);

/** Calibration text: tokens of each language. */
export function calibrationSections(artifacts: readonly Collected[], shares?: NumbersByName): Section[] {
  const calibrations = [...ofKind(artifacts, "segments"), ...ofKind(artifacts, "statistics")];
  if (calibrations.length === 0) return [];
  const present = [...new Set(calibrations.flatMap(({ tokens }) => textOf(tokens).map(([language]) => language)))];
  const languages = byTrainingShare(present, (language) => language, shares);
  return [
    {
      id: "calibration",
      title: "Calibration text",
      tables: [
        {
          caption: "Tokens of each language",
          open: true,
          table: {
            columns: headings(
              ["language"],
              calibrations.map(({ name }) => name),
            ),
            rows: languages.map((language) => [
              language,
              ...calibrations.map(({ tokens }) => String(numberOf(tokens, language))),
            ]),
          },
        },
      ],
      data: calibrations.flatMap(({ name, tokens }) =>
        textOf(tokens).map(([language, count]) => ({ calibration: name, language, tokens: count })),
      ),
    },
  ];
}

/** What a page was made of: artifacts and models with their hashes, and the recipe. */
export function originSections(artifacts: readonly Collected[], recipe: RecipeText | undefined): Section[] {
  const origin: Section = {
    id: "origin",
    title: "How this was made",
    texts: ["Made by Multilingual Brain Surgeon. Content addresses are SHA-256 hashes: the same address means the same content."],
    tables: [
      {
        caption: "Artifacts that this page shows",
        open: true,
        table: {
          columns: headings(["artifact", "kind", "content address", "made with"], []),
          rows: artifacts.map((artifact) => [artifact.name, artifact.kind, artifact.address, settingsOf(artifact)]),
        },
      },
      ...modelsTable(artifacts),
    ],
    data: artifacts.map((artifact) => ({
      name: artifact.name,
      kind: artifact.kind,
      address: artifact.address,
      settings: settingsOf(artifact),
    })),
  };
  return recipe === undefined ? [origin] : [origin, { id: "recipe", title: `Recipe: ${recipe.name}`, source: recipe.text }];
}
