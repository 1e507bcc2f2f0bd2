// The entry of a worker thread, which renders conversations by a model's chat template, one after another.

import { parentPort, workerData } from "node:worker_threads";
import { Environment, Interpreter, parse, tokenize } from "@huggingface/jinja";
import { InternalError, type ChatMessage } from "@mbs/contracts";
import { templateGlobals } from "./template-globals.ts";
import type { TemplateAnswer, TemplateTask, TemplateThreadData } from "./template-task.ts";

const port = parentPort;
if (port === null) throw new InternalError("template-worker is the entry of a worker thread and does nothing else");

const { templates, longest } = workerData as TemplateThreadData;
const parsed = new Map<string, ReturnType<typeof parse>>();

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** The one for conversations with tools, where a model has two. */
function templateFor(tools: TemplateTask["tools"]): string {
  const { byName } = templates;
  const [only] = byName.size === 1 ? byName.values() : [];
  const template = (tools === undefined ? undefined : byName.get("tool_use")) ?? byName.get("default") ?? only;
  if (template !== undefined) return template;
  throw new InternalError(`several templates, none of which is called default: ${[...byName.keys()].join(", ")}`);
}

/** With its reasoning under the names that templates read, as in transformers. */
function withReasoning(message: ChatMessage): ChatMessage {
  const { reasoning_content: own, thinking, reasoning } = message;
  const text = own ?? thinking ?? reasoning;
  return text === undefined ? message : { thinking: text, ...message, reasoning_content: text };
}

function render({ messages, tools, generationPrompt }: TemplateTask): TemplateAnswer {
  let program: ReturnType<typeof parse>;
  try {
    const template = templateFor(tools);
    // these two are what transformers sets
    program = parsed.get(template) ?? parse(tokenize(template, { trim_blocks: true, lstrip_blocks: true }));
    parsed.set(template, program);
  } catch (error) {
    return { fault: `cannot be read (${messageOf(error)})` };
  }
  try {
    const environment = new Environment();
    const given = {
      ...templateGlobals,
      ...templates.tokens,
      messages: messages.map(withReasoning),
      tools: tools ?? null,
      documents: null,
      add_generation_prompt: generationPrompt,
    };
    for (const [name, value] of Object.entries(given)) environment.set(name, value);
    const { value: text } = new Interpreter(environment).run(program) as { readonly value: string };
    return text.length > longest ? { fault: `makes more than ${longest} characters of one conversation` } : { text };
  } catch (error) {
    return { refused: messageOf(error) };
  }
}

port.on("message", (task: TemplateTask) => port.postMessage(render(task)));
port.postMessage("ready");
