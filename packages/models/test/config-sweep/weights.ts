/**
 * Weights of tiny models from the names of tensors: the same numbers here and in tools/config-sweep/weights.py, which says
 * how they are made.
 */

function seedOf(name: string): number {
  let state = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) state = Math.imul(state ^ byte, 0x01000193) >>> 0;
  return state;
}

/** MurmurHash3's finaliser. */
function mix(value: number): number {
  let state = value;
  state = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
  state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35);
  return (state ^ (state >>> 16)) >>> 0;
}

/** @param normCentre of the weights of norms: 0 where the model adds 1 itself */
export function weightOf(name: string, shape: readonly number[], normCentre: number): Float32Array {
  const length = shape.reduce((product, side) => product * side, 1);
  if (name === "final_logits_bias") return new Float32Array(length);
  const isVector = shape.length === 1;
  const centre = isVector && name.endsWith("weight") ? normCentre : 0;
  const scale = isVector ? 0.17 : 0.7;
  const seed = seedOf(name);
  return Float32Array.from(
    { length },
    (_, index) => centre + scale * ((mix((seed + Math.imul(index, 0x9e3779b9)) | 0) >>> 8) / 2 ** 23 - 1),
  );
}

/** Token `index` of the text. */
export const tokenOf = (index: number): number => 4 + ((5 * index * index + 3 * index) % 60);
