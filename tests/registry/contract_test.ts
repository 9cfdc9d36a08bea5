import { CONTRACT } from "./contract_cases.ts";
import { havePrograms } from "../lab/have_programs.ts";
import { dockerTarget, labTarget, type RunningTarget, type SetUp } from "./contract_targets.ts";

const SET_UPS: readonly SetUp[] = ["open", "htpasswd", "token"];

async function runContract(
  test: Deno.TestContext,
  setUp: SetUp,
  target: RunningTarget,
): Promise<void> {
  for (const clause of CONTRACT) {
    if (clause.guardedOnly && setUp === "open") continue;
    await test.step(clause.name, () => clause.run(target));
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
