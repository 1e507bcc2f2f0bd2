import type { Row } from "../python/values.ts";
import { Interpreter } from "./interpreter.ts";
import { parseTemplate } from "./syntax.ts";

/** A template that was read once and is rendered with many rows. It reads no file and calls nothing but what is in this folder. */
export interface Template {
  readonly source: string;
  /** @throws {BadDataError} where a name is undefined, a value does not fit, or the text gets too long */
  render(row: Row): string;
}

/** Reads templates, each text once: thousands of tasks share a few. */
export function createTemplateReader(): (source: string, about: string) => Template {
  const known = new Map<string, Template>();
  return (source, about) => {
    const found = known.get(source);
    if (found !== undefined) return found;
    const body = parseTemplate(source, about);
    const template: Template = { source, render: (row) => new Interpreter(row).render(body) };
    known.set(source, template);
    return template;
  };
}
