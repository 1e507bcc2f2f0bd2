import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { InterruptedError } from "@mbs/contracts";
import { readBytes, type CorpusFile } from "./files/corpus-file.ts";

/**
 * SHA-256 over languages in order of name and, for each, the bytes of its files in order (as stored, not unzipped).
 * Names and places of files do not count.
 */
export async function corpusAddress(
  languages: ReadonlyMap<string, readonly CorpusFile[]>,
  signal?: AbortSignal,
): Promise<string> {
  const hash = createHash("sha256");
  for (const language of [...languages.keys()].sort()) {
    const files = languages.get(language) ?? [];
    hash.update(`${language}\n${files.length}\n`);
    for (const file of files) {
      const { size } = await stat(file.path);
      hash.update(`${file.format}${file.gzip ? ".gz" : ""}\n${size}\n`);
      for await (const chunk of readBytes({ ...file, gzip: false })) {
        if (signal?.aborted) throw new InterruptedError("corpus: stopped");
        hash.update(chunk);
      }
    }
  }
  return hash.digest("hex");
}
