import { BadDataError, FailedPreconditionError } from "@mbs/contracts";
import type { ChatRenderer, Conversation } from "@mbs/contracts";
import type { CorpusDocument } from "@mbs/corpora";
import { commonPrefix } from "@mbs/models";

/** Tokens of one text, and which of them count. */
export interface TextTokens {
  readonly tokens: Int32Array;
  /** Place of the first token that is scored, at least 1: those before it are only read. */
  readonly first: number;
}

/** Makes windows of documents that are not joined with others. */
export interface ConversationCutter {
  /** @throws {BadDataError} on a document that cannot be cut so */
  cut(document: CorpusDocument): Promise<readonly TextTokens[]>;
  /** Lines for the user, when all documents were cut. */
  notes(): readonly string[];
}

type Encode = (text: string) => Int32Array;

/** A whole conversation is a window, up to `length` tokens. Its template begins it, so that no token is put before it. */
export const wholeConversations = (encode: Encode, length: number): ConversationCutter => ({
  cut({ text }) {
    const tokens = encode(text).slice(0, length);
    return Promise.resolve(tokens.length < 2 ? [] : [{ tokens, first: 1 }]);
  },
  notes: () => [],
});

/**
 * Every message of the assistant is a window: the model reads the conversation up to it, as it does when it answers, and the
 * tokens of the message are scored. Some templates write a message otherwise once others follow it (Qwen 3 leaves out thoughts,
 * Phi 3 ends the last one); so each is the last one of its own window.
 */
export class AnswerCutter implements ConversationCutter {
  readonly #language: string;
  readonly #chat: ChatRenderer;
  /** For messages. */
  readonly #model: string;
  readonly #encode: Encode;
  readonly #length: number;
  #answers = 0;
  #beyond = 0;
  #refused = 0;

  constructor(language: string, model: string, chat: ChatRenderer, encode: Encode, length: number) {
    this.#language = language;
    this.#chat = chat;
    this.#model = model;
    this.#encode = encode;
    this.#length = length;
  }

  /**
   * @throws {BadDataError} on a plain text
   * @throws {FailedPreconditionError} where the template writes an answer otherwise than it asks for one
   */
  async cut({ conversation }: CorpusDocument): Promise<readonly TextTokens[]> {
    if (conversation === undefined) {
      throw new BadDataError(
        `${this.#language} has plain texts, of which nothing is the assistant's; leave out --assistant-only, or choose languages with conversations by --languages`,
        { language: this.#language },
      );
    }
    const windows: TextTokens[] = [];
    for (const [index, { role }] of conversation.messages.entries()) {
      if (role !== "assistant") continue;
      this.#answers += 1;
      const window = await this.#answer(conversation, index);
      if (window !== undefined) windows.push(window);
    }
    return windows;
  }

  notes(): readonly string[] {
    const note = (count: number, why: string): string[] =>
      count === 0 ? [] : [`${this.#language}: ${count} of ${this.#answers} answers ${why}; left out`];
    return [
      ...note(this.#refused, "end or begin where the chat template refuses the conversation"),
      ...note(this.#beyond, `begin behind the ${this.#length} tokens of a window (--length)`),
    ];
  }

  async #answer({ messages, ...others }: Conversation, index: number): Promise<TextTokens | undefined> {
    const asked = await this.#chat.render({ messages: messages.slice(0, index), ...others }, true);
    const answered = await this.#chat.render({ messages: messages.slice(0, index + 1), ...others });
    if ("refused" in asked || "refused" in answered) {
      this.#refused += 1;
      return undefined;
    }
    if (!answered.text.startsWith(asked.text)) {
      throw new FailedPreconditionError(
        `${this.#model}: its chat template writes a conversation of ${this.#language} up to an answer otherwise than with the answer, so that the assistant's tokens cannot be found; leave out --assistant-only`,
        { model: this.#model, language: this.#language },
      );
    }
    const tokens = this.#encode(answered.text);
    // a token that reaches over the border counts
    const first = Math.max(1, commonPrefix(this.#encode(asked.text), tokens));
    if (first < Math.min(tokens.length, this.#length)) return { tokens: tokens.slice(0, this.#length), first };
    this.#beyond += 1;
    return undefined;
  }
}
