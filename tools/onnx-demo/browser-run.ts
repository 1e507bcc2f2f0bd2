import { browserPatience, startChromium } from "../browser/chromium.ts";
import type { Generated } from "./node-generation.ts";

/** What the page made, and in which browser. */
export interface BrowserRun {
  readonly version: string;
  readonly generated: readonly Generated[];
}

const limit = 240_000;

/**
 * Opens the page in Chromium and waits until all its models have written.
 *
 * @param picture where a picture of the finished page goes
 * @throws {Error} with the page's own messages where it does not finish
 */
export async function generateInBrowser(executablePath: string, address: string, picture: string): Promise<BrowserRun> {
  const browser = await startChromium(executablePath);
  const messages: string[] = [];
  try {
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    page.on("console", (message) => messages.push(message.text()));
    page.on("pageerror", (error) => messages.push(error.message));
    await page.goto(address, { timeout: browserPatience });
    await page.waitForFunction("document.body.dataset.state !== 'working'", undefined, { timeout: limit });
    await page.screenshot({ path: picture, fullPage: true });
    const found: unknown = await page.evaluate("globalThis.results");
    if (!Array.isArray(found)) throw new Error("it has no results");
    return { version: browser.version(), generated: found as Generated[] };
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    throw new Error(`the page at ${address} did not finish: ${[said, ...messages].join("; ")}`, { cause: error });
  } finally {
    await browser.close();
  }
}
