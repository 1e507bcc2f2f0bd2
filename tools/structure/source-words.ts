/** What is no word of the program: comments and regular expressions; text of templates, whose expressions are kept. */
const passedOver =
  /\/\*[\s\S]*?\*\/|\/\/.*$|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`|(?<=[(,=:[!&|?{};]\s*)\/(?:\\.|\[(?:\\.|[^\]\\])*\]|[^/\\\n])+\//gm;

/** Code without comments, texts of messages and regular expressions: `"bits"`, a string of one word, stays. */
export function wordsOnly(source: string): string {
  return source.replaceAll(passedOver, (found) => {
    if (found.startsWith("/")) return " ";
    if (found.startsWith('"')) return /^"[\w-]*"$/.test(found) ? found : '""';
    return [...found.matchAll(/\$\{([^}]*)\}/g)].map(([, expression = ""]) => ` ${wordsOnly(expression)} `).join(";");
  });
}

/** Whether code, of `wordsOnly`, has a word: a name, or a string of it alone. */
export const hasWord = (code: string, word: string): boolean => new RegExp(`(?<![\\w$-])${word}(?![\\w$-])`).test(code);

/** Whether code has a word as the name of a property: `.bits`, `bits:`, `{ bits }`, `"bits"`. */
export const hasProperty = (code: string, word: string): boolean =>
  new RegExp(`\\.${word}(?![\\w$])|(?<![\\w$.])${word}\\??:|"${word}"|[{,]\\s*${word}\\s*[,}]`).test(code);
