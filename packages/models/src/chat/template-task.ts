import type { ChatMessage } from "@mbs/contracts";
import type { ChatTemplates } from "./chat-templates.ts";

/** What the thread of a template starts with. */
export interface TemplateThreadData {
  readonly templates: ChatTemplates;
  /** Most characters of a text, in UTF-16 units. */
  readonly longest: number;
}

/** A conversation to render. */
export interface TemplateTask {
  readonly messages: readonly ChatMessage[];
  readonly tools: readonly unknown[] | undefined;
  readonly generationPrompt: boolean;
}

/** What the thread answers; `fault` is one of the template, whatever the conversation. */
export type TemplateAnswer = { readonly text: string } | { readonly refused: string } | { readonly fault: string };
