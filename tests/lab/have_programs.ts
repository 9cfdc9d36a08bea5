/** True when all programs are there. Without them a test returns after one line, or fails where CI says so. */
export async function havePrograms(programs: readonly string[]): Promise<boolean> {
  const missing: string[] = [];
  for (const program of programs) {
    const { success } = await new Deno.Command("sh", {
      args: ["-c", `command -v ${program}`],
      stdout: "null",
      stderr: "null",
    }).output();
    if (!success) missing.push(program);
  }
  if (missing.length === 0) return true;
  const message = `not installed: ${missing.join(", ")}`;
  if (Deno.env.get("CI") === "true") throw new Error(`Cannot run this test: ${message}`);
  console.log(`skipped, ${message}`);
  return false;
}
