import { FailedPreconditionError } from "@mbs/contracts";
import { chooseDevice } from "@mbs/onnx";

/**
 * Whether WebGPU finds a graphics processor, or a program that does its work: SwiftShader is one. On Debian:
 *
 *     apt-get install chromium-common
 *     export VK_ICD_FILENAMES=/usr/lib/chromium/vk_swiftshader_icd.json LD_LIBRARY_PATH=/usr/lib/chromium
 *
 * @throws where there is one that does not work, and with MBS_WEBGPU=required where there is none
 */
async function findWebgpu(): Promise<boolean> {
  try {
    await chooseDevice("webgpu", 1);
    return true;
  } catch (error) {
    if (!(error instanceof FailedPreconditionError) || process.env["MBS_WEBGPU"] === "required") throw error;
    process.stderr.write("WebGPU: skipped, there is no graphics processor; SwiftShader of Debian's chromium-common will do\n");
    return false;
  }
}

export const hasWebgpu: boolean = await findWebgpu();
