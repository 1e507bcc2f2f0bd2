import { openCorpus } from "@mbs/corpora";

/** A text to be continued. */
export interface Prompt {
  readonly language: string;
  readonly text: string;
}

const languages = ["en", "fr", "es", "ru", "ta"];
const promptWords = 6;

/** The first words of a held-out text of each language. */
export async function readPrompts(corpusPath: string): Promise<Prompt[]> {
  const corpus = await openCorpus(corpusPath);
  const prompts: Prompt[] = [];
  for (const language of languages) {
    for await (const { text } of corpus.documents(language)) {
      const words = text.split(/\s+/).filter((word) => word !== "");
      if (words.length < promptWords) continue;
      prompts.push({ language, text: words.slice(0, promptWords).join(" ") });
      break;
    }
  }
  return prompts;
}
