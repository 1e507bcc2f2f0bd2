import { BadDataError } from "@mbs/contracts";
import type { Tokenizer as HubTokenizer } from "@huggingface/tokenizers";

/*
 * SentencePiece's compiled table of characters: a trie of UTF-8 bytes as a double array (Darts), then the replacements as
 * texts that end with a 0. The library puts NFKC in its place, which differs in Vietnamese, Malayalam, Burmese and others.
 * After huggingface/spm_precompiled, which the reference uses.
 */

const segmenter = new Intl.Segmenter("und", { granularity: "grapheme" });

/** Clusters of as many bytes or more are replaced character by character. */
const longestCluster = 6;

/** How far the children of a unit are. */
const offsetOf = (unit: number): number => (unit >>> 10) << ((unit & (1 << 9)) >>> 6);

/**
 * Reads a table.
 *
 * @param base64 `precompiled_charsmap` of a tokenizer.json
 * @returns a text's replacement
 * @throws {BadDataError} when its length does not fit
 */
export function readCharacterTable(base64: string, file: string): (text: string) => string {
  const bytes = Buffer.from(base64, "base64");
  const size = bytes.length < 4 ? -1 : bytes.readUInt32LE(0);
  if (size < 4 || size % 4 !== 0 || 4 + size > bytes.length) {
    throw new BadDataError(
      `${file}: normalizer.precompiled_charsmap has ${bytes.length} bytes, which its own length of ${size} does not fit; take the file from the model's source again`,
      { file },
    );
  }
  const units = Uint32Array.from({ length: size / 4 }, (_, index) => bytes.readUInt32LE(4 + 4 * index));
  const replacements = bytes.subarray(4 + size);

  /** The replacement of the shortest beginning that has one. */
  const find = (text: string): string | undefined => {
    let position = offsetOf(units[0] ?? 0);
    for (const byte of Buffer.from(text)) {
      position ^= byte;
      const unit = units[position];
      // a label is the lowest byte, the highest bit is that of values
      if (byte === 0 || unit === undefined || (unit & 0x8000_00ff) !== byte) return undefined;
      position ^= offsetOf(unit);
      if (((unit >>> 8) & 1) === 0) continue;
      const start = (units[position] ?? 0) & 0x7fff_ffff;
      const end = replacements.indexOf(0, start);
      return replacements.subarray(start, end < 0 ? undefined : end).toString();
    }
    return undefined;
  };
  const known = new Map<string, string>();
  const replace = (cluster: string): string => {
    const whole = Buffer.byteLength(cluster) < longestCluster ? find(cluster) : undefined;
    return whole ?? Array.from(cluster, (character) => find(character) ?? character).join("");
  };
  return (text) => {
    let replaced = "";
    for (const { segment } of segmenter.segment(text)) {
      const made = known.get(segment) ?? replace(segment);
      if (known.size < 100_000) known.set(segment, made);
      replaced += made;
    }
    return replaced;
  };
}

/** Lets a tokenizer normalise by its own tables. @throws {BadDataError} when one is broken */
export function useCharacterTables({ normalizer }: HubTokenizer, file: string): void {
  const visit = (part: unknown): void => {
    // normalizers are functions with properties
    if (typeof part !== "function") return;
    if ("charsmap" in part && typeof part.charsmap === "string")
      Object.assign(part, { normalize: readCharacterTable(part.charsmap, file) });
    if ("normalizers" in part && Array.isArray(part.normalizers)) for (const inner of part.normalizers) visit(inner);
  };
  visit(normalizer);
}
