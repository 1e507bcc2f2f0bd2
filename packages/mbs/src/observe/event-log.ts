import { performance } from "node:perf_hooks";
import type { Observer, StageWork } from "@mbs/contracts";
import type { LogLine } from "@mbs/host-cli";

/** Seconds to the millisecond. */
const rounded = (seconds: number | undefined): number | undefined => seconds && Math.round(seconds * 1000) / 1000;

const since = (started: number): number | undefined => rounded((performance.now() - started) / 1000);

/** Lines of a log on what a host does. @param log writes one */
export function eventLog(log: (line: LogLine) => void): Observer {
  const stageOf =
    (asked?: string): Observer["stage"] =>
    ({ stage, name, peer = asked, waited }: StageWork) => {
      const started = performance.now();
      log({ level: "info", event: "stage-started", stage, name, peer, waited: rounded(waited) });
      return ({ outcome, tag, received, sent }) => {
        const level = outcome === "failed" ? "error" : "info";
        log({ level, event: `stage-${outcome}`, stage, name, peer, duration: since(started), tag, received, sent });
      };
    };
  return {
    stage: stageOf(),
    call({ method, peer }) {
      const started = performance.now();
      return {
        stage: stageOf(peer),
        end({ status, received, sent }) {
          const level = status === "OK" || status === "CANCELLED" ? "info" : "warn";
          log({ level, event: "call-ended", method, peer, duration: since(started), status, received, sent });
        },
      };
    },
  };
}
