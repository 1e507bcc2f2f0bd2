import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** Runs a test with a folder that holds the given files, which may be in folders of their own. */
export async function withFiles(files: Readonly<Record<string, string>>, test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "mbs-tasks-"));
  try {
    for (const [name, content] of Object.entries(files)) {
      await mkdir(dirname(join(folder, name)), { recursive: true });
      await writeFile(join(folder, name), content);
    }
    await test(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
