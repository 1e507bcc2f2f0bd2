const escaped = (text: string): string => text.replaceAll(/[\\^$.*+?()[\]{}|/]/g, "\\$&");

/**
 * Takes folders of the server out of what its clients read.
 *
 * @param names what stands in the place of each folder, by its absolute path. Of two that a path begins with, the longer counts.
 *   The root of the file system is left as it is: it says nothing of this server, and stands in every path
 */
export function hideFolders(names: ReadonlyMap<string, string>): (text: string) => string {
  const folders = [...names.keys()].filter((folder) => folder !== "/").toSorted((one, other) => other.length - one.length);
  if (folders.length === 0) return (text) => text;
  // whole names alone: /srv/st is no beginning of /srv/store or /srv/st.old, nor the end of /mnt/srv/st
  const whole = `(?<![\\p{L}\\p{N}._~-])(?:${folders.map(escaped).join("|")})(?![\\p{L}\\p{N}_~-]|\\.[\\p{L}\\p{N}_])`;
  const pattern = new RegExp(whole, "gu");
  return (text) => text.replaceAll(pattern, (folder) => names.get(folder) ?? folder);
}
