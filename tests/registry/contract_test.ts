import { assertEquals } from "@std/assert";
import { CONTRACT } from "./contract_cases.ts";
import { havePrograms } from "../lab/have_programs.ts";
import { dockerTarget, labTarget, type RunningTarget, type SetUp } from "./contract_targets.ts";

const SET_UPS: readonly SetUp[] = ["open", "htpasswd", "token"];

/** Clauses that were due and that have passed at the registries there are. */
const count = { registries: 0, due: 0, passed: 0 };

async function runContract(
  test: Deno.TestContext,
  setUp: SetUp,
  target: RunningTarget,
): Promise<void> {
  count.registries++;
  for (const clause of CONTRACT) {
    if (clause.guardedOnly && setUp === "open") continue;
    count.due++;
    if (await test.step(clause.name, () => clause.run(target))) count.passed++;
  }
}

for (const setUp of SET_UPS) {
  Deno.test(`contract: the lab registry, ${setUp}`, async (test) => {
    await using target = await labTarget(setUp);
    await runContract(test, setUp, target);
  });

  Deno.test(`contract: docker-registry, ${setUp}`, async (test) => {
    if (!await havePrograms(["docker-registry", "htpasswd"])) return;
    await using target = await dockerTarget(setUp);
    await runContract(test, setUp, target);
  });
}

// `.ci/run` repeats the line.
Deno.test("contract: every clause holds at every registry", () => {
  const whole = CONTRACT.length * count.registries;
  assertEquals(count.passed, count.due);
  console.log(
    `${CONTRACT.length} contract cases x ${count.registries} registries: ${count.passed} passed, ` +
      `${whole - count.due} are for guarded ones only`,
  );
});
