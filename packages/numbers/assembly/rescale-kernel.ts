// What new scales of a group change in a block of columns, in SIMD. src/columns/group-rescaler.ts has its plain form, which gives the
// same bits.
//
// Legend: R rows of W, all float32 but for codes. Arrays are [columns, R].
//   V values of the group   G gradient   P products of the group with H   K codes of the group, bytes
//   Q, C [R] sums of V·G and of V·P   F [R] factors   S, Z [R] scales and zeros of the group

const strip: i32 = 16;

/** Σ V·G and Σ V·P over the group's columns, in their order. */
export function sumProducts(V: usize, G: usize, P: usize, Q: usize, C: usize, R: i32, columns: i32): void {
  const rowBytes: usize = (<usize>R) << 2;
  let row = 0;
  for (; row + strip <= R; row += strip) {
    let at: usize = (<usize>row) << 2;
    const to = at;
    let q0 = f32x4.splat(0);
    let q1 = q0;
    let q2 = q0;
    let q3 = q0;
    let c0 = q0;
    let c1 = q0;
    let c2 = q0;
    let c3 = q0;
    for (let column = 0; column < columns; column++) {
      const v0 = v128.load(V + at, 0);
      const v1 = v128.load(V + at, 16);
      const v2 = v128.load(V + at, 32);
      const v3 = v128.load(V + at, 48);
      q0 = f32x4.add(q0, f32x4.mul(v0, v128.load(G + at, 0)));
      q1 = f32x4.add(q1, f32x4.mul(v1, v128.load(G + at, 16)));
      q2 = f32x4.add(q2, f32x4.mul(v2, v128.load(G + at, 32)));
      q3 = f32x4.add(q3, f32x4.mul(v3, v128.load(G + at, 48)));
      c0 = f32x4.add(c0, f32x4.mul(v0, v128.load(P + at, 0)));
      c1 = f32x4.add(c1, f32x4.mul(v1, v128.load(P + at, 16)));
      c2 = f32x4.add(c2, f32x4.mul(v2, v128.load(P + at, 32)));
      c3 = f32x4.add(c3, f32x4.mul(v3, v128.load(P + at, 48)));
      at += rowBytes;
    }
    v128.store(Q + to, q0, 0);
    v128.store(Q + to, q1, 16);
    v128.store(Q + to, q2, 32);
    v128.store(Q + to, q3, 48);
    v128.store(C + to, c0, 0);
    v128.store(C + to, c1, 16);
    v128.store(C + to, c2, 32);
    v128.store(C + to, c3, 48);
  }
  for (; row < R; row++) {
    let at: usize = (<usize>row) << 2;
    const to = at;
    let q: f32 = 0;
    let c: f32 = 0;
    for (let column = 0; column < columns; column++) {
      const v = load<f32>(V + at);
      q += v * load<f32>(G + at);
      c += v * load<f32>(P + at);
      at += rowBytes;
    }
    store<f32>(Q + to, q);
    store<f32>(C + to, c);
  }
}

/** G += P·F, of all columns of a block. */
export function addScaledRows(G: usize, P: usize, F: usize, R: i32, columns: i32): void {
  const rowBytes: usize = (<usize>R) << 2;
  for (let column = 0; column < columns; column++) {
    let row = 0;
    for (; row + 4 <= R; row += 4) {
      const at: usize = (<usize>row) << 2;
      v128.store(G + at, f32x4.add(v128.load(G + at), f32x4.mul(v128.load(P + at), v128.load(F + at))));
    }
    for (; row < R; row++) {
      const at: usize = (<usize>row) << 2;
      store<f32>(G + at, load<f32>(G + at) + load<f32>(P + at) * load<f32>(F + at));
    }
    G += rowBytes;
    P += rowBytes;
  }
}

/** V = (K - Z)·S of the group's columns. */
export function writeValues(V: usize, K: usize, S: usize, Z: usize, R: i32, columns: i32): void {
  const rowBytes: usize = (<usize>R) << 2;
  for (let column = 0; column < columns; column++) {
    let row = 0;
    for (; row + 4 <= R; row += 4) {
      const at: usize = (<usize>row) << 2;
      const halves = i16x8.extend_low_i8x16_u(v128.load32_zero(K + <usize>row));
      const code = f32x4.convert_i32x4_u(i32x4.extend_low_i16x8_u(halves));
      v128.store(V + at, f32x4.mul(f32x4.sub(code, v128.load(Z + at)), v128.load(S + at)));
    }
    for (; row < R; row++) {
      const at: usize = (<usize>row) << 2;
      store<f32>(V + at, (<f32>load<u8>(K + <usize>row) - load<f32>(Z + at)) * load<f32>(S + at));
    }
    V += rowBytes;
    K += <usize>R;
  }
}
