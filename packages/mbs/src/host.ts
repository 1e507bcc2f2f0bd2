import type { CliHost } from "@mbs/host-cli";
import { presenters } from "./results/presenters.ts";

/** The command line's host, with what only this package knows. */
export const host: CliHost = {
  program: "mbs",
  presenters,
  folder: {
    async text(folder) {
      const { formatSizeReport, sizeReport } = await import("@mbs/assembly");
      return formatSizeReport(await sizeReport(folder));
    },
    async json(folder) {
      const { sizeReport } = await import("@mbs/assembly");
      return sizeReport(folder);
    },
  },
  async remote(via, stage, inputs, options, context) {
    const [{ runRemote }, { remoteName }] = await Promise.all([import("@mbs/host-grpc"), import("@mbs/pipeline")]);
    return runRemote({ via, stage, inputs, options, context, nameResource: remoteName });
  },
};
