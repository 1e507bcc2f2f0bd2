import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { folderPresenter } from "../../src/results/folder-report.ts";

test("a folder that is no model is shown by its files and their sizes", async () => {
  const folder = await mkdtemp(join(tmpdir(), "mbs-folder-report-"));
  try {
    await writeFile(join(folder, "b.gguf"), new Uint8Array(1500));
    await writeFile(join(folder, "a.gguf"), new Uint8Array(12));
    assert.is(await folderPresenter.text(folder), `${folder}/a.gguf  12 bytes\n${folder}/b.gguf  1.50 kB\n`);
    assert.equal(await folderPresenter.json(folder), {
      files: [
        { path: "a.gguf", bytes: 12 },
        { path: "b.gguf", bytes: 1500 },
      ],
    });
  } finally {
    await rm(folder, { recursive: true });
  }
});

test.run();
