import { BadDataError, printable } from "@mbs/contracts";
import type { ChatRenderer, Conversation, OpenChat } from "@mbs/contracts";

/** Most characters of a template's words that a message repeats. */
const mostWords = 200;

/** Conversations of one language as texts, while its files are read once. */
export class ConversationTexts {
  readonly #language: string;
  readonly #open: OpenChat | undefined;
  #chat: ChatRenderer | undefined;
  #made = 0;
  #refused = 0;
  #first = "";

  /** @param open undefined where no model reads the texts */
  constructor(language: string, open: OpenChat | undefined) {
    this.#language = language;
    this.#open = open;
  }

  /**
   * @param where for messages: "texts/en.jsonl, row 7"
   * @returns undefined where the template refuses the conversation, which is counted
   * @throws {BadDataError} where there is no model to read it
   * @throws {FailedPreconditionError} where the model has no template
   */
  async textOf(conversation: Conversation, where: string): Promise<string | undefined> {
    if (this.#open === undefined) {
      throw new BadDataError(
        `${where} is a conversation, which only a model's chat template makes a text; what is asked here needs plain texts: name their field with --field, or give others`,
        { language: this.#language },
      );
    }
    this.#chat ??= await this.#open();
    const made = await this.#chat.render(conversation);
    if ("text" in made) {
      this.#made += 1;
      return made.text;
    }
    if (this.#refused === 0) this.#first = `${where}: ${printable(made.refused).slice(0, mostWords)}`;
    this.#refused += 1;
    return undefined;
  }

  /**
   * To be called when all files were read.
   *
   * @returns a line for the user; none where nothing was refused
   * @throws {BadDataError} where all conversations were refused
   */
  finish(): readonly string[] {
    if (this.#refused === 0) return [];
    const found = `${this.#language}: the model's chat template refuses ${this.#refused} of ${this.#refused + this.#made} conversations (first: ${this.#first})`;
    if (this.#made > 0) return [`${found}; left out`];
    throw new BadDataError(`${found}; give conversations in roles and an order that it takes`, { language: this.#language });
  }

  async close(): Promise<void> {
    await this.#chat?.close();
  }
}
