import { BadDataError, FailedPreconditionError } from "@mbs/contracts";
import type { ChatRenderer, OpenChat } from "@mbs/contracts";
import type { Model } from "../folder/model.ts";
import { isGguf } from "../folder/model-record.ts";
import { readChatTemplates } from "./chat-templates.ts";
import { TemplateThread } from "./template-thread.ts";
import type { TemplateLimits } from "./template-thread.ts";

/** Published templates take a few milliseconds and megabytes; the rest is for long conversations on a machine under load. */
const usualLimits: TemplateLimits = { milliseconds: 10_000, megabytes: 512, characters: 8 << 20 };

/**
 * Opens the chat template of a model, which runs in a thread of its own: with limits in time, memory and length, and without
 * files or a network to use.
 *
 * Texts are those of transformers' `apply_chat_template`, but for the date of today, which is always 26 July 2024.
 *
 * @throws {FailedPreconditionError} where the model has no template
 */
export async function openChat(model: Pick<Model, "path" | "files">, limits = usualLimits): Promise<ChatRenderer> {
  const { path } = model;
  const templates = await readChatTemplates(model);
  if (templates.byName.size === 0) {
    const place = isGguf(path) ? "tokenizer.chat_template in its metadata" : "chat_template.jinja";
    throw new FailedPreconditionError(
      `${path} has no chat template, without which conversations are no texts; take the model that was trained on conversations, give this one its template (${place}), or give plain texts`,
      { model: path },
    );
  }
  const thread = new TemplateThread(templates, limits);
  return {
    async render({ messages, tools }, generationPrompt = false) {
      const answer = await thread.render({ messages, tools, generationPrompt });
      if (!("fault" in answer)) return answer;
      throw new BadDataError(
        `${path}: its chat template ${answer.fault}; take it from the model's source again, or give plain texts`,
        { model: path },
      );
    },
    close: () => thread.close(),
  };
}

/** How readers of conversations open the chat template of a model, once they meet one. */
export const chatOf =
  (model: Pick<Model, "path" | "files">): OpenChat =>
  () =>
    openChat(model);
