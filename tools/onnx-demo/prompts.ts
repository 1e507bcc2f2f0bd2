import { openCorpus } from "@mbs/corpora";

/** A text to be continued. */
export interface Prompt {
  readonly language: string;
  /** Name of the language, in English. */
  readonly name: string;
  readonly text: string;
}

/** From 40% to 0.3% of the training text, in five scripts that most systems have fonts for; one runs from right to left. */
const languages = ["en", "fr", "es", "ru", "vi", "fa", "ta", "gu"];
const promptWords = 6;
/** A line of this length is a sentence, not a title. */
const sentenceLength = 40;

/** The first words of a text, as the language divides it; undefined where it has fewer. */
function firstWords(text: string, language: string): string | undefined {
  const words = [...new Intl.Segmenter(language, { granularity: "word" }).segment(text)].filter(({ isWordLike }) => isWordLike);
  const last = words[promptWords - 1];
  return last === undefined ? undefined : text.slice(0, last.index + last.segment.length);
}

/** The first words of the first sentence of a held-out text of each language. */
export async function readPrompts(corpusPath: string): Promise<Prompt[]> {
  const corpus = await openCorpus(corpusPath);
  const names = new Intl.DisplayNames("en", { type: "language" });
  const prompts: Prompt[] = [];
  for (const language of languages) {
    for await (const { text } of corpus.documents(language)) {
      const sentence = text.split("\n").find((line) => line.length >= sentenceLength);
      const prompt = sentence === undefined ? undefined : firstWords(sentence.trim(), language);
      if (prompt === undefined) continue;
      prompts.push({ language, name: names.of(language) ?? language, text: prompt });
      break;
    }
  }
  return prompts;
}
