import { basename } from "node:path";
import { readCardSource } from "@mbs/models";
import type { Model, TrimmingRecord } from "@mbs/models";

/** A line of the card's YAML; texts are quoted, which JSON and YAML do alike. */
const yamlLine = (key: string, value: string | readonly string[] | undefined): string[] =>
  value === undefined ? [] : [`${key}: ${JSON.stringify(value)}`];

/**
 * The model card of a trimmed model, in the Hub's format: under which licence it is, of which model it was made, and for which
 * languages. The source's own card describes another model.
 *
 * @param kept rows that stay
 * @see https://huggingface.co/docs/hub/model-cards
 */
export async function trimmedCard(model: Model, { keep, rows, source }: TrimmingRecord, kept: number): Promise<string> {
  const { baseModel, license, licenseName, licenseLink } = await readCardSource(model);
  const languages = keep.join(", ");
  const name = baseModel?.split("/").at(-1) ?? basename(model.path);
  // the Hub knows languages, not their scripts
  const codes = [...new Set(keep.flatMap((language) => /^[a-z]{2,3}(?=-|$)/.exec(language)?.[0] ?? []))];
  const origin =
    baseModel === undefined ? "the model with the address below" : `[${baseModel}](https://huggingface.co/${baseModel})`;
  return [
    "---",
    ...yamlLine("language", codes.length > 0 ? codes : undefined),
    ...yamlLine("license", license),
    ...yamlLine("license_name", licenseName),
    ...yamlLine("license_link", licenseLink),
    ...yamlLine("base_model", baseModel),
    ...yamlLine("tags", ["multilingual-brain-surgeon"]),
    "---",
    "",
    `# ${name}, vocabulary of ${languages}`,
    "",
    `Made by Multilingual Brain Surgeon from ${origin}: without the tokens that texts of ${languages} do not use. ${kept} of ${rows} rows of the vocabulary stay; these rows and all other weights have the values that they had.`,
    "",
    `Texts of ${languages} stay the same tokens, those of other languages become more. Perplexities are not to be compared with those over all rows.`,
    "",
    `- model trimmed: \`${source}\``,
    "",
    "This is a content address (SHA-256). `mbs_trimming` in config.json has it too, and that of the texts.",
    "",
  ].join("\n");
}
