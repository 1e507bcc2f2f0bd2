import { BadDataError, type ArtifactStream } from "@mbs/contracts";
import type { FilesMetadata } from "../kinds/metadata.ts";
import type { FilePiece } from "../kinds/records.ts";
import { cutPanels, denseLayout } from "../rows/panels.ts";
import { encodeRows, readRows, type Items, type Row } from "../rows/rows.ts";

async function* toRows(items: Items<FilePiece>): AsyncGenerator<Row<"files">> {
  for await (const { path, offset, data } of items) {
    if (data.length === 0) yield { path, offset, data };
    for (const { row, values } of cutPanels(denseLayout(data.length, 1), data))
      yield { path, offset: offset + row, data: values };
  }
}

async function* toPieces(rows: AsyncIterable<Row<"files">>): AsyncGenerator<FilePiece> {
  const finished = new Set<string>();
  let path: string | undefined;
  let expected = 0;
  for await (const row of rows) {
    if (row.path !== path) {
      if (finished.has(row.path))
        throw new BadDataError(`files: the pieces of ${row.path} do not follow each other`, { path: row.path });
      finished.add(row.path);
      path = row.path;
      expected = 0;
    }
    if (row.offset !== expected) {
      throw new BadDataError(`files: ${row.path}: expected the piece at offset ${expected}, found ${row.offset}`, {
        path: row.path,
        offset: row.offset,
      });
    }
    expected += row.data.length;
    yield row;
  }
}

/** Pieces of files → artifact. Pieces over the limit of a batch are cut; an empty file is one empty piece. */
export const encodeFiles = (items: Items<FilePiece>, metadata: FilesMetadata): ArtifactStream =>
  encodeRows("files", metadata, toRows(items));

/**
 * The pieces of the files of an artifact: file by file, each from offset 0 without a hole. Paths are not
 * checked here: unpackFiles refuses those that leave the folder.
 */
export const readFiles = (stream: ArtifactStream): AsyncIterable<FilePiece> => toPieces(readRows("files", stream));
