import { open, rename, rm } from "node:fs/promises";

/** Writes a small file so that a reader, or a run after a crash, sees the old text or the new one. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const partial = `${path}.partial-${process.pid}`;
  try {
    const file = await open(partial, "w");
    await file.writeFile(text);
    await file.sync().finally(() => file.close());
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}
