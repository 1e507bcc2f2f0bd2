/** Texts that callers put into chat templates as roles. */
const roles = ["user", "assistant", "system", "model", "tool", "developer"];

const tag = /\{%[\s\S]*?%\}|\{\{[\s\S]*?\}\}|\{#[\s\S]*?#\}/g;
const literal = /'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"/g;
const escapes: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r" };

const unescaped = (text: string): string => text.replaceAll(/\\([\s\S])/g, (_, letter: string) => escapes[letter] ?? letter);

/**
 * The texts that a chat template may write of itself: what stands outside of its tags, the strings within them, and the names
 * of roles. Their tokens are kept, so that conversations begin as before.
 *
 * @param template in Jinja
 */
export function templateTexts(template: string): readonly string[] {
  const tags = template.match(tag) ?? [];
  const strings = tags.flatMap((own) =>
    [...own.matchAll(literal)].map(([, single, double]) => unescaped(single ?? double ?? "")),
  );
  return [...new Set([...template.split(tag), ...strings, ...roles])].filter((text) => text !== "");
}
