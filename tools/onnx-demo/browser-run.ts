import { startChromium } from "../browser/chromium.ts";
import type { Generated } from "./node-generation.ts";

const limit = 120_000;

/**
 * Opens the page in Chromium and waits until all its models have written.
 *
 * @param picture where a picture of the finished page goes
 * @throws {Error} with the page's own messages where it does not finish
 */
export async function generateInBrowser(executablePath: string, address: string, picture: string): Promise<Generated[]> {
  const browser = await startChromium(executablePath);
  const messages: string[] = [];
  try {
    const page = await browser.newPage({ viewport: { width: 1100, height: 900 } });
    page.on("console", (message) => messages.push(message.text()));
    page.on("pageerror", (error) => messages.push(error.message));
    await page.goto(address);
    await page.waitForFunction("document.body.dataset.state !== 'working'", undefined, { timeout: limit });
    await page.screenshot({ path: picture, fullPage: true });
    const found: unknown = await page.evaluate("globalThis.results");
    if (!Array.isArray(found)) throw new Error("the page has no results");
    return found as Generated[];
  } catch (error) {
    throw new Error(`the page did not finish: ${[String(error), ...messages].join("; ")}`, { cause: error });
  } finally {
    await browser.close();
  }
}
