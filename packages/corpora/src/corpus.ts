import type { Conversation, OpenChat } from "@mbs/contracts";
import type { Revisions } from "@mbs/hub";

/** One text of one language. */
export interface CorpusDocument {
  /** Of a conversation, as the model's chat template writes it. */
  readonly text: string;
  /** What the text was made of; only where that is a conversation. */
  readonly conversation?: Conversation;
  /** The text's target, such as its translation; only where the corpus was opened with a target field. */
  readonly target?: string;
  /** Where the text comes from, by the corpus's own `source` column; "" where it has none. */
  readonly source: string;
}

/** Which fields or columns of a file are read. */
export interface CorpusFields {
  /** Of texts or conversations. */
  readonly text: string;
  /** Of conversations, where a file lacks `text`; undefined where `text` was named, and no other will do. */
  readonly messages: string | undefined;
  readonly target: string | undefined;
}

/** The field of conversations that is looked for where none is named. */
export const messagesField = "messages";

/** The tools of a conversation are in this field. */
export const toolsField = "tools";

/** What a row of a file holds. */
export interface CorpusRow extends Pick<CorpusDocument, "target" | "source"> {
  readonly content: string | Conversation;
  /** For messages: "texts/en.jsonl, row 7". */
  readonly where: string;
}

/** For messages: not every command that reads texts has the option. */
export const namesField = "by field: in a manifest, or by --field where the command has it";

/** The fields of texts with what names each, for messages. */
export const wantedFields = ({
  text,
  target,
}: Pick<CorpusFields, "text" | "target">): readonly { readonly field: string; readonly named: string }[] => [
  { field: text, named: namesField },
  ...(target === undefined ? [] : [{ field: target, named: "by --target-field" }]),
];

/** Where a document comes from is in this field, unless that is the text's own. */
export const originField = "source";

/** Texts by language, read again and again from their files, never held as a whole. */
export interface Corpus {
  /** The manifest's own name, else the base name of its path. */
  readonly name: string;
  readonly license: string | undefined;
  /** Of a dataset on the Hub, the name with its commit in the place of a branch; absent for a path. */
  readonly pinnedName?: string | undefined;
  /** Which commits the revisions of its datasets on the Hub are; absent where it has none. */
  readonly revisions?: Revisions;
  /** Language names, in the manifest's order (a folder's are sorted). */
  readonly languages: readonly string[];
  /** Paths of the files of all languages; for a dataset of the Hub its folder in the cache. */
  readonly files: readonly string[];
  /** SHA-256 over the language names and the bytes of their files, computed when first asked for. */
  readonly address: Promise<string>;
  /**
   * The documents of a language, in the order of its files. Each call reads the files again.
   *
   * @param chat of the model that will read them, which writes conversations as texts; without it conversations are refused
   * @throws {BadDataError} on a file that is broken beyond the stated tolerance, or where the template refuses all conversations
   * @throws {UsageError} on a language that the corpus does not have
   */
  documents(language: string, chat?: OpenChat): AsyncIterable<CorpusDocument>;
}

/** Texts one after the other: a blank line between two plain ones, nothing beside a conversation, whose template ends it. */
export function joinTexts(documents: readonly (Pick<CorpusDocument, "text"> & { readonly conversation?: unknown })[]): string {
  let joined = "";
  for (const [index, { text, conversation }] of documents.entries()) {
    const arePlain = conversation === undefined && documents[index - 1]?.conversation === undefined;
    joined += index > 0 && arePlain ? `\n\n${text}` : text;
  }
  return joined;
}
