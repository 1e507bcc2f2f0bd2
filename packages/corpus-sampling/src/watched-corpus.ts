import type { StageContext } from "@mbs/contracts";
import type { Corpus } from "@mbs/corpora";

/** Documents between two reports. */
const reportEvery = 10_000;

/** The languages and documents of a corpus; reading large files shows as progress. */
export function watchedCorpus(corpus: Corpus, context: StageContext): Pick<Corpus, "languages" | "documents"> {
  return {
    languages: corpus.languages,
    async *documents(language) {
      let done = 0;
      for await (const document of corpus.documents(language)) {
        done += 1;
        if (done % reportEvery === 0) context.progress({ activity: `read ${language}`, done, unit: "documents" });
        yield document;
      }
    },
  };
}
