/**
 * A job that trusts a tag says so, where people look and where programs do.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { startLab } from "../lab/lab_world.ts";
import { reportOf, runLabJob } from "./lab_job.ts";

Deno.test("flashjob flash: a tag that nothing pins is warned of in the log and in the report, a pinned one is not", async () => {
  await using lab = await startLab();
  const index = lab.registry.repository("team/thermo").tags.get("1.1.0") ?? "";
  const byDigest = lab.reference.replace(":1.1.0", `@${index}`);
  const runs = [
    [[], lab.reference, true],
    [["--expect-digest", index], lab.reference, false],
    [[], byDigest, false],
    [[], `${lab.reference}@${index}`, false],
  ] as const;
  for (const [pin, reference, isWarned] of runs) {
    const args = ["--dry-run", "--output", "json", ...pin];
    const run = await runLabJob(lab, { args, environment: { FIRMWARE: reference } });
    assertEquals(run.code, 0, run.stderr);
    const warning = `The tag of '${reference}' can be moved to another image at any time; ` +
      "pin it with @sha256:... or --expect-digest";
    const warnings = reportOf(run).warnings.filter((line) => line.includes("can be moved"));
    assertEquals(warnings, isWarned ? [warning] : [], reference);
    const lines = run.stderr.split("\n").filter((line) => line.includes("can be moved"));
    assertEquals(lines.map((line) => line.endsWith(warning)), isWarned ? [true] : [], run.stderr);
  }
});
