/**
 * The first key that stands twice in one object of a JSON text. JSON.parse keeps the last one and says nothing.
 *
 * @param text JSON that JSON.parse accepts
 * @returns the key and its second place, or undefined
 */
export function findDuplicateKey(text: string): { key: string; offset: number } | undefined {
  const seen: (Set<string> | undefined)[] = [];
  let expectsKey = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === "{") {
      seen.push(new Set());
      expectsKey = true;
    } else if (character === "[") {
      seen.push(undefined);
      expectsKey = false;
    } else if (character === "}" || character === "]") {
      seen.pop();
      expectsKey = false;
    } else if (character === ",") {
      expectsKey = seen.at(-1) !== undefined;
    } else if (character === '"') {
      const start = at;
      for (at++; text[at] !== '"'; at++) if (text[at] === "\\") at++;
      const keys = seen.at(-1);
      if (expectsKey && keys !== undefined) {
        // Parsed, so that "\u0061" and "a" count as one key.
        const key = JSON.parse(text.slice(start, at + 1)) as string;
        if (keys.has(key)) return { key, offset: start };
        keys.add(key);
        expectsKey = false;
      }
    }
  }
  return undefined;
}
