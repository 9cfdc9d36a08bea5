import { assert, assertEquals } from "@std/assert";
import { OUTCOMES } from "../../src/job/job_outcome.ts";
import { JobRecord } from "../../src/job/job_record.ts";
import { systemClock } from "../../src/deno_world.ts";
import { readSchema, schemaFaults } from "../image/json_schema.ts";
import { type LabOptions, startLab } from "../lab/lab_world.ts";
import { runProgram } from "../lab/program.ts";

const JOB = readSchema("job.schema.json");

/** Deadlines for devices that live forty times as fast. */
const FAST = {
  DIAL_IN_TIMEOUT: "4s",
  REDIAL_TIMEOUT: "2s",
  CONFIRM_TIMEOUT: "6s",
  TRANSFER_IDLE_TIMEOUT: "2s",
  ATTESTATION_TIMEOUT: "3s",
};

interface ReportCase {
  readonly name: string;
  readonly lab?: LabOptions;
  readonly environment?: Readonly<Record<string, string>>;
  readonly outcome: string;
  /** What the report must hold. */
  readonly holds: readonly string[];
}

const EVERYTHING = ["reference", "image", "file", "device", "transfer", "confirmation", "identity"];

const CASES: readonly ReportCase[] = [
  { name: "a job that succeeds", outcome: "updated", holds: EVERYTHING },
  {
    name: "a dry run",
    environment: { DRY_RUN: "1" },
    outcome: "dry-run",
    holds: ["reference", "image", "file", "device"],
  },
  {
    name: "a device that is not genuine",
    // It is asked about when it dials, when the file is there for sure.
    lab: { attestation: "401", behaviour: { onboard: "absent" } },
    outcome: "attestation-refused",
    holds: ["remedy", "image", "file", "device"],
  },
  {
    name: "a wrong platform",
    environment: { DEVICE: "esp32c6" },
    outcome: "wrong-target",
    holds: ["remedy", "reference", "device"],
  },
  {
    name: "a missing setting",
    environment: { HOST_ENDPOINT: "" },
    outcome: "configuration",
    holds: ["remedy", "durations"],
  },
];

async function reportOf({ lab, environment }: ReportCase): Promise<Record<string, unknown>> {
  await using world = await startLab(lab);
  const run = await runProgram(["flash", "--output", "json", "--agent", "builtin"], {
    environment: { ...FAST, ...world.environment, ...environment },
  });
  const report = JSON.parse(run.stdout);
  assertEquals(report.code, run.code);
  return report;
}

for (const { name, ...given } of CASES) {
  Deno.test(`job.schema.json: describes the report of ${name}`, async () => {
    const report = await reportOf({ name, ...given });
    assertEquals(schemaFaults(report, JOB), []);
    assertEquals(report["outcome"], given.outcome, JSON.stringify(report));
    for (const field of given.holds) assert(field in report, `the report holds ${field}`);
  });
}

Deno.test("job.schema.json: knows every ending, and no other", () => {
  for (const outcome of Object.keys(OUTCOMES) as (keyof typeof OUTCOMES)[]) {
    const report = new JobRecord(systemClock).report({ outcome, message: "It ended" });
    assertEquals(schemaFaults(JSON.parse(JSON.stringify(report)), JOB), []);
  }
  const known = (JOB["properties"] as { outcome: { enum: string[] } }).outcome.enum;
  assertEquals(known, Object.keys(OUTCOMES));
});

Deno.test("job.schema.json: accepts nothing that a report does not hold", () => {
  const report = new JobRecord(systemClock).report({ outcome: "updated", message: "It ended" });
  const wrong: readonly object[] = [
    { ...report, outcome: "done" },
    { ...report, code: "0" },
    { ...report, message: undefined },
    { ...report, password: "secret" },
    { ...report, durations: {} },
    { ...report, image: { platform: "custom/esp32" } },
    { ...report, image: { platform: "custom/esp32", manifestDigest: "latest" } },
    { ...report, file: { path: "a", size: -1, sha256: "ab".repeat(32) } },
  ];
  for (const candidate of wrong) {
    assert(schemaFaults(JSON.parse(JSON.stringify(candidate)), JOB).length > 0, JSON.stringify(candidate));
  }
});

Deno.test("inspect.schema.json: accepts nothing else", () => {
  const schema = readSchema("inspect.schema.json");
  const failure = { outcome: "not-found", code: 12, message: "No", remedy: "Look" };
  assertEquals(schemaFaults(failure, schema), []);
  assertEquals(schemaFaults({ outcome: "inspected", code: 0 }, schema), []);
  const wrong: readonly object[] = [
    { outcome: "inspected", code: 1 },
    { ...failure, code: 0 },
    { ...failure, image: {} },
    { outcome: "inspected", code: 0, image: {} },
    { outcome: "inspected", code: 0, signature: { state: "good", message: "" } },
    { outcome: "inspected", code: 0, signature: { state: "refused", code: "wrong", message: "" } },
    {
      outcome: "inspected",
      code: 0,
      firmware: {
        path: "a",
        sha256: "ab".repeat(32),
        file: { kind: "application" },
        verdict: { state: "accepted", refusals: [], overridden: [], warnings: [] },
      },
    },
  ];
  for (const candidate of wrong) {
    assert(schemaFaults(candidate, schema).length > 0, JSON.stringify(candidate));
  }
});
