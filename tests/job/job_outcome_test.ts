import { assert, assertEquals } from "@std/assert";
import { JobFailure, type Outcome, OUTCOMES, REFUSAL_EXITS } from "../../src/job/job_outcome.ts";
import { JobRecord } from "../../src/job/job_record.ts";

const NAMES = Object.keys(OUTCOMES) as Outcome[];

Deno.test("OUTCOMES: only what claims no more than it knows exits 0", () => {
  assertEquals(NAMES.filter((name) => OUTCOMES[name].exit === 0), [
    "updated",
    "updated-unconfirmed",
    "sent",
    "already-current",
    "dry-run",
  ]);
});

Deno.test("OUTCOMES: every failure has an exit code of its own, and the refusals of images have theirs", () => {
  const exits = [
    ...NAMES.map((name) => OUTCOMES[name].exit).filter((exit) => exit !== 0),
    ...Object.values(REFUSAL_EXITS),
  ];
  assertEquals(new Set(exits).size, exits.length);
  // 126, 127 and from 128 on belong to shells and signals.
  const free = exits.filter((exit) =>
    exit !== OUTCOMES.interrupted.exit && exit !== OUTCOMES.terminated.exit
  );
  assert(free.every((exit) => exit > 0 && exit < 126), `${free}`);
  assertEquals([OUTCOMES.interrupted.exit, OUTCOMES.terminated.exit], [130, 143]);
});

Deno.test("OUTCOMES: every failure but a signal says what to do, in one sentence without a full stop", () => {
  for (const name of NAMES) {
    const { exit, meaning, remedy } = OUTCOMES[name];
    assert(/^[A-Z].*[^.]$/.test(meaning), name);
    assert(remedy === "" || /^[A-Z].*[^.]$/.test(remedy), name);
    if (exit !== 0 && exit < 128) assert(remedy !== "", name);
  }
});

Deno.test("JobRecord: a report holds what was known by then, and how long each phase took", async () => {
  let now = 1000;
  const record = new JobRecord({ now: () => now, sleep: () => Promise.resolve() });
  record.facts.reference = "registry.example/a:1";
  record.warn("first");
  await record.phase("pull", () => Promise.resolve(now += 250.4));
  const failure = new JobFailure("not-found", "Cannot find it");
  await record.phase("look", () => {
    now += 50;
    return Promise.reject(failure);
  }).catch((error) => assertEquals(error, failure));
  const report = record.report({ outcome: "not-found", message: "Cannot find it" });
  assertEquals(report, {
    outcome: "not-found",
    code: 12,
    message: "Cannot find it",
    remedy: OUTCOMES["not-found"].remedy,
    warnings: ["first"],
    reference: "registry.example/a:1",
    durations: { pull: 250, look: 50, total: 300 },
  });
  record.warn("later");
  assertEquals(report.warnings, ["first"]);
  assertEquals(record.report({ outcome: "image-refused", message: "m", exit: 59 }).code, 59);
  assertEquals("remedy" in record.report({ outcome: "updated", message: "m" }), false);
});
