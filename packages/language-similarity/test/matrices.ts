import { at } from "@mbs/contracts";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import { uniformInt } from "pure-rand/distribution/uniformInt";

/** Orthonormal cosines (DCT-II), [size, size], a vector a row. */
export function cosineBasis(size: number): Float64Array {
  return Float64Array.from({ length: size * size }, (_, index) => {
    const [row, column] = [Math.floor(index / size), index % size];
    return Math.sqrt((row === 0 ? 1 : 2) / size) * Math.cos((Math.PI * row * (column + 0.5)) / size);
  });
}

/** Σ λᵢ·vᵢ·vᵢᵀ of the rows of a basis. */
export function fromEigen(basis: Float64Array, size: number, eigenvalue: (index: number) => number): Float32Array {
  return Float32Array.from({ length: size * size }, (_, index) => {
    const [row, column] = [Math.floor(index / size), index % size];
    let sum = 0;
    for (let k = 0; k < size; k += 1) sum += eigenvalue(k) * at(basis, k * size + row) * at(basis, k * size + column);
    return sum;
  });
}

/** Numbers in [-1, 1]. */
export function randomValues(length: number, seed: number): Float32Array {
  const generator = xoroshiro128plus(seed);
  return Float32Array.from({ length }, () => uniformInt(generator, -1000, 1000) / 1000);
}

/** XᵀX / tokens of random X whose channels differ in size, [size, size]. */
export function randomGram(size: number, tokens: number, seed: number): Float32Array {
  const x = randomValues(size * tokens, seed);
  return Float32Array.from({ length: size * size }, (_, index) => {
    const [row, column] = [Math.floor(index / size), index % size];
    let sum = 0;
    for (let token = 0; token < tokens; token += 1) sum += at(x, token * size + row) * at(x, token * size + column);
    return (sum / tokens) * 0.97 ** (row + column);
  });
}
