import { measureProduct } from "@mbs/onnx";

/**
 * Whether WebGPU finds a graphics processor, or a program that does its work: SwiftShader is one. On Debian:
 *
 *     apt-get install chromium-common
 *     export VK_ICD_FILENAMES=/usr/lib/chromium/vk_swiftshader_icd.json LD_LIBRARY_PATH=/usr/lib/chromium
 */
export const hasWebgpu: boolean = await measureProduct("webgpu", 1).then(
  () => true,
  () => false,
);

if (!hasWebgpu)
  process.stderr.write("WebGPU: skipped, there is no graphics processor; SwiftShader of Debian's chromium-common will do\n");
