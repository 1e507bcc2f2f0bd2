/** One message: its role and text, and what else a chat template may read of it (tool_calls, name, reasoning_content …). */
export interface ChatMessage {
  readonly role: string;
  /** Absent where the message is calls of tools alone. */
  readonly content?: string;
  readonly [key: string]: unknown;
}

/** Messages in order, as people and a model wrote them in turn. */
export interface Conversation {
  readonly messages: readonly ChatMessage[];
  /** Tools that the model might call, each described as a JSON schema. */
  readonly tools?: readonly unknown[];
}

/** A conversation as a text, or why a chat template makes none of it. */
export type RenderedConversation = { readonly text: string } | { readonly refused: string };

/** Makes texts of conversations by the chat template of a model. */
export interface ChatRenderer {
  /**
   * @param generationPrompt whether the beginning of the assistant's next message follows
   * @throws {BadDataError} where the template cannot be read, or takes too long, too much memory or too many characters
   */
  render(conversation: Conversation, generationPrompt?: boolean): Promise<RenderedConversation>;
  close(): Promise<void>;
}

/** Opens the chat template of a model. @throws {FailedPreconditionError} where it has none */
export type OpenChat = () => Promise<ChatRenderer>;
