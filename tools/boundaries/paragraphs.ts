import { markdownPages } from "./text-files.ts";

/** Characters of a paragraph, with its marks and links: about ten lines on a screen. */
export const longestParagraph = 600;

interface Paragraph {
  /** Of its first line, from 1. */
  readonly line: number;
  readonly text: string;
}

/** Paragraphs of a page; each item of a list is one. Headings, tables, code and comments are none. */
export function paragraphsOf(page: string): Paragraph[] {
  const found: { line: number; text: string }[] = [];
  let isOpen = false;
  let isCode = false;
  for (const [index, written] of page.split("\n").entries()) {
    const line = written.trim();
    const isFence = /^(?:```|~~~)/.test(line);
    if (isFence) isCode = !isCode;
    if (isFence || isCode || line === "" || /^(?:#|\||<!--)/.test(line)) {
      isOpen = false;
      continue;
    }
    const last = found.at(-1);
    const isItem = /^(?:[-*+]|\d+[.)])\s/.test(line);
    if (isOpen && !isItem && last !== undefined) last.text += ` ${line}`;
    else found.push({ line: index + 1, text: line });
    isOpen = true;
  }
  return found;
}

/** Paragraphs that are too long to be read with ease, one line each. */
export const findLongParagraphs = (root: string): string[] =>
  markdownPages(root).flatMap(({ path, text }) =>
    paragraphsOf(text)
      .filter((paragraph) => paragraph.text.length > longestParagraph)
      .map(
        (paragraph) =>
          `${path}:${paragraph.line}: a paragraph of ${paragraph.text.length} characters; split it, or make a list or table of it (at most ${longestParagraph})`,
      ),
  );
