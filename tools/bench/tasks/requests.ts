/** Requests of two kinds of multiple-choice tasks, made from the held-out texts of the controlled model. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL("../../../datasets/controlled-texts/heldout/", import.meta.url));

/** Sentences of a language, of its texts one after the other, each of 30 to 160 characters. */
function sentences(language: string): string[] {
  const lines = readFileSync(`${folder}${language}.jsonl`, "utf8").trim().split("\n");
  const texts = lines.map((line) => (JSON.parse(line) as { text: string }).text.replaceAll(/\s+/g, " "));
  const words = new Intl.Segmenter(language, { granularity: "sentence" });
  return texts.flatMap((text) =>
    [...words.segment(text)].map(({ segment }) => segment.trim()).filter(({ length }) => length >= 30 && length <= 160),
  );
}

/** Texts of a kind, [context, continuation], `documents` documents a language. */
type Requests = (languages: readonly string[], documents: number) => [string, string][];

/** A question of one sentence with four choices of one sentence each: ARC and HellaSwag are of this kind. */
const choices: Requests = (languages, documents) =>
  languages.flatMap((language) => {
    const own = sentences(language);
    return Array.from({ length: documents }, (_, document) =>
      Array.from({ length: 4 }, (__, choice): [string, string] => [
        `Question: ${own[(document * 5) % own.length]}\nAnswer:`,
        ` ${own[(document * 5 + 1 + choice) % own.length]}`,
      ]),
    ).flat();
  });

/** A passage of five sentences with three questions, each with four short choices: Belebele is of this kind. */
const passages: Requests = (languages, documents) =>
  languages.flatMap((language) => {
    const own = sentences(language);
    return Array.from({ length: documents }, (_, document) => {
      const from = Math.floor(document / 3) * 9;
      const passage = own.slice(from, from + 5).join(" ");
      const question = own[from + 5 + (document % 3)] ?? "";
      const answers = Array.from({ length: 4 }, (__, choice) =>
        (own[from + choice] ?? "").split(" ").slice(0, 4).join(" ").slice(0, 40),
      );
      return answers.map((answer): [string, string] => [`P: ${passage}\nQ: ${question}\nA:`, ` ${answer}`]);
    }).flat();
  });

export const kinds: ReadonlyMap<string, Requests> = new Map([
  ["choices of a sentence", choices],
  ["questions on passages", passages],
]);

/** Few-shot prompts that are to be answered: three examples that all of a language's documents share, and a question. */
export const prompts = (languages: readonly string[], documents: number): string[] =>
  languages.flatMap((language) => {
    const own = sentences(language);
    const examples = [0, 2, 4].map((at) => `Question: ${own[at]}\nAnswer: ${own[at + 1]}\n\n`).join("");
    return Array.from(
      { length: documents },
      (_, document) => `${examples}Question: ${own[(6 + document) % own.length]}\nAnswer:`,
    );
  });
