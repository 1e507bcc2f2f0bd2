import { existsSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { formatBytes } from "@mbs/contracts";
import type { FolderPresenter } from "@mbs/host-cli";
import { recordFile } from "@mbs/models";

/** A folder that is no model: its files and their sizes, by name. */
async function listSizes(folder: string): Promise<readonly { readonly path: string; readonly bytes: number }[]> {
  const names = (await readdir(folder)).sort();
  return Promise.all(names.map(async (path) => ({ path, bytes: (await stat(join(folder, path))).size })));
}

const isModel = (folder: string): boolean => existsSync(join(folder, recordFile));

/** What the command prints about a folder that a stage wrote: of a model the sizes by dtype, else its files. */
export const folderPresenter: FolderPresenter = {
  async text(folder) {
    if (isModel(folder)) {
      const { formatSizeReport, sizeReport } = await import("@mbs/assembly");
      return formatSizeReport(await sizeReport(folder));
    }
    return (await listSizes(folder)).map(({ path, bytes }) => `${join(folder, path)}  ${formatBytes(bytes)}\n`).join("");
  },
  async json(folder) {
    if (!isModel(folder)) return { files: await listSizes(folder) };
    const { sizeReport } = await import("@mbs/assembly");
    return sizeReport(folder);
  },
};
