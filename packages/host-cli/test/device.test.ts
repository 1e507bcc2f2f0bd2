import { noDeviceReport } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { DeviceTotal } from "../src/index.ts";

test("what several nodes did on a graphics processor is added up and said in a line each", () => {
  const lines: string[] = [];
  const total = new DeviceTotal();
  total.note((line) => lines.push(line));
  assert.equal(lines, [], "nothing was copied");
  total.add({ ...noDeviceReport, uploads: 3, uploadedBytes: 2_000_000, downloads: 1, downloadedBytes: 1000, splitGraphs: ["b"] });
  total.add({
    ...noDeviceReport,
    uploads: 4,
    uploadedBytes: 1_000_000,
    downloads: 2,
    downloadedBytes: 500,
    splitGraphs: ["a", "b"],
  });
  total.note((line) => lines.push(line));
  assert.equal(lines.splice(0), [
    "WebGPU: 3.00 MB to the graphics processor in 7 copies, 1.50 kB back in 3",
    "WebGPU has not all operators of a and 1 more: these run on the processor",
  ]);
  total.add({ ...noDeviceReport, lacksOfSpace: 1 });
  total.note((line) => lines.push(line));
  assert.match(lines[1] ?? "", /too little space once; from then on less went there at a time/);
});

test.run();
