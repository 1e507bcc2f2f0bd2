/**
 * Names for the nodes of a plan in a language that takes fewer characters: the first to ask for a name gets it, another one
 * gets a number behind it.
 *
 * @param shorten turns an id into a name, which is then cut
 * @param separator before the number; no name ends with it
 */
export function uniqueNames(
  ids: readonly string[],
  shorten: (id: string) => string,
  { longest, separator }: { readonly longest: number; readonly separator: string },
): ReadonlyMap<string, string> {
  const taken = new Set<string>();
  return new Map(
    ids.map((id) => {
      const whole = shorten(id);
      const cut = (length: number): string => {
        let name = whole.slice(0, length);
        while (name.endsWith(separator)) name = name.slice(0, -separator.length);
        return name;
      };
      let name = cut(longest);
      for (let number = 2; taken.has(name); number++) {
        const ending = `${separator}${number}`;
        name = `${cut(longest - ending.length)}${ending}`;
      }
      taken.add(name);
      return [id, name];
    }),
  );
}
