/** [rows, columns] → [columns, rows] */
export function transpose<Values extends Float32Array | Uint16Array | Uint8Array>(values: Values, rows: number): Values {
  const columns = values.length / rows;
  const turned = values.slice() as Values;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) turned[column * rows + row] = values[row * columns + column]!;
  }
  return turned;
}
