import type { CliHost } from "@mbs/host-cli";
import { folderPresenter } from "./results/folder-report.ts";
import { presenters } from "./results/presenters.ts";

/** The command line's host, with what only this package knows. */
export const host: CliHost = {
  program: "mbs",
  presenters,
  folder: folderPresenter,
  async remote(place, stage, inputs, options, context) {
    const [{ runRemote }, { remoteName }] = await Promise.all([import("@mbs/host-grpc"), import("@mbs/pipeline")]);
    return runRemote({ ...place, stage, inputs, options, context, nameResource: remoteName });
  },
};
