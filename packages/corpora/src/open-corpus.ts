import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { BadDataError, InterruptedError, UsageError } from "@mbs/contracts";
import type { Conversation, OpenChat, Progress } from "@mbs/contracts";
import { readBytes } from "./files/corpus-file.ts";
import { readLayout, type CorpusSource } from "./files/corpus-layout.ts";
import { ConversationTexts } from "./conversations/conversation-texts.ts";
import { messagesField } from "./corpus.ts";
import type { Corpus, CorpusDocument, CorpusFields, CorpusRow } from "./corpus.ts";
import { datasetRevisions, identityOf, readDataset } from "./datasets/dataset-texts.ts";
import type { ReadingContext } from "./datasets/dataset-texts.ts";
import { FaultCount } from "./formats/fault-count.ts";
import { readJsonLines } from "./formats/jsonl.ts";
import { readPlainText } from "./formats/plain-text.ts";

export interface OpenCorpusOptions {
  /** Field or column that holds texts or conversations; default: the manifest's, else "text", else "messages". Plain text has none. */
  readonly field?: string | undefined;
  /** Field or column that holds a target for each text, whose own field is then "source" by default; default: none is read. */
  readonly targetField?: string | undefined;
  /**
   * Called once for each language with documents that were left out or with byte-order marks, and for each plain text that is one
   * document of many lines. Default: no warnings.
   */
  readonly warn?: (message: string) => void;
  /** Called while files of a dataset on the Hub are fetched. */
  readonly progress?: (progress: Progress) => void;
  /** Stops reading. */
  readonly signal?: AbortSignal;
}

async function* readSource(
  file: CorpusSource,
  fields: CorpusFields,
  faults: FaultCount,
  context: ReadingContext & { readonly warnOfLines: (line: string) => void },
): AsyncGenerator<CorpusRow, void, undefined> {
  switch (file.format) {
    case "dataset":
      return yield* readDataset(file, fields, faults, context);
    case "jsonl":
      return yield* readJsonLines(file, fields, faults);
    case "csv":
      // loaded where it is read, and Parquet too: their parsers are a tenth of all modules of a run
      return yield* (await import("./formats/csv.ts")).readCsv(file, fields, faults);
    case "parquet":
      return yield* (await import("./formats/parquet.ts")).readParquet(file, fields, faults);
    case "txt":
      if (fields.target !== undefined) {
        throw new BadDataError(
          `${file.path} is plain text and has no targets; give source→target texts as .jsonl, .csv or .parquet`,
          {
            file: file.path,
          },
        );
      }
      for await (const content of readPlainText(file, faults, context.warnOfLines))
        yield { content, source: "", where: file.path };
  }
}

/**
 * SHA-256 over languages in order of name and, for each, the bytes of its files in order (as stored, not unzipped).
 * Names and paths of files do not count. Of a dataset on the Hub: its name, the hashes of its files, and which rows are taken.
 */
async function corpusAddress(languages: ReadonlyMap<string, readonly CorpusSource[]>, signal?: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  for (const [language, files] of [...languages].sort(([a], [b]) => (a < b ? -1 : 1))) {
    hash.update(`${language}\n${files.length}\n`);
    for (const file of files) {
      if (file.format === "dataset") {
        hash.update(`dataset\n${identityOf(file)}\n`);
        continue;
      }
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

/**
 * Opens texts by language: a YAML manifest (`languages: {en: file, glob or list}`, optional `field`, `name`, `license`),
 * a folder of LANG.jsonl, LANG.txt, LANG.csv and LANG.parquet, each also .gz, or a dataset of the Hub
 * (`hf:datasets/org/name?languages=hi,bn`, in a manifest an entry of a language; docs/corpora.md).
 *
 * Rows that hold conversations (`messages`: a list of role and content) instead of texts become texts by a model's chat template.
 *
 * Only names are read here, and the Hub is asked for them. Of the texts never more than a few megabytes are held.
 *
 * @throws {BadDataError} on a broken manifest, a file of unknown kind, or a dataset that does not exist or is not open to the user
 * @throws {InputOutputError} where there is nothing at the path, or the Hub cannot be reached
 * @throws {UsageError} on a dataset's name of another form
 */
export async function openCorpus(path: string, options: OpenCorpusOptions = {}): Promise<Corpus> {
  const layout = await readLayout(path);
  const { targetField: target } = options;
  const fieldsOf = (file: CorpusSource): CorpusFields => {
    const named = options.field ?? (file.format === "dataset" ? file.name.field : undefined) ?? layout.field;
    if (target !== undefined) return { text: named ?? "source", messages: undefined, target };
    return { text: named ?? "text", messages: named === undefined ? messagesField : undefined, target };
  };
  const { signal, progress = () => {} } = options;
  const warned = new Set<string>();
  /** Reading twice must not warn twice. */
  const warn = (line: string): void => {
    if (!warned.has(line)) options.warn?.(line);
    warned.add(line);
  };
  const sources = [...layout.languages.values()].flat();
  let address: Promise<string> | undefined;

  async function* documents(language: string, chat?: OpenChat): AsyncGenerator<CorpusDocument, void, undefined> {
    const files = layout.languages.get(language);
    if (!files) {
      throw new UsageError(
        `corpus ${layout.name} has no language ${language}; it has ${[...layout.languages.keys()].join(", ")}`,
        { language },
      );
    }
    const faults = new FaultCount(language);
    const conversations = new ConversationTexts(language, chat);
    // several files are documents of their own
    const warnOfLines = files.length === 1 ? warn : (): void => {};
    try {
      for (const file of files) {
        for await (const { content, where, ...others } of readSource(file, fieldsOf(file), faults, {
          signal,
          progress,
          warnOfLines,
        })) {
          if (signal?.aborted) throw new InterruptedError(`corpus ${layout.name}: stopped`);
          const document = typeof content === "string" ? { text: content } : await conversationOf(content, where);
          if (document === undefined || document.text.trim() === "" || others.target?.trim() === "") continue;
          faults.document();
          yield { ...document, ...others };
        }
      }
      for (const line of [...faults.finish(), ...conversations.finish()]) warn(line);
    } finally {
      await conversations.close();
    }

    async function conversationOf(conversation: Conversation, where: string) {
      const text = await conversations.textOf(conversation, where);
      return text === undefined ? undefined : { text, conversation };
    }
  }

  return {
    name: layout.name,
    license: layout.license,
    pinnedName: layout.pinnedName,
    languages: [...layout.languages.keys()],
    revisions: datasetRevisions(sources.filter((source) => source.format === "dataset")),
    files: sources.map((source) => (source.format === "dataset" ? source.dataset.storage : source.path)),
    get address() {
      return (address ??= corpusAddress(layout.languages, signal));
    },
    documents,
  };
}
