import { assert, assertEquals, assertRejects } from "@std/assert";
import { askHelper } from "../../src/registry/credential_helper.ts";
import { openCredentials } from "../../src/registry/credentials.ts";
import { systemClock } from "../../src/deno_world.ts";
import { NEVER, testWorld } from "./registry_rig.ts";

/** Real programs take real time; only the one that hangs is waited for in a hurry. */
const patientWorld = () => testWorld({ clock: systemClock });

/** Runs `use` with helpers of the given scripts in PATH; each finds what was asked in `$0.asked` and `$0.env`. */
async function withHelpers<Result>(
  scripts: Readonly<Record<string, string>>,
  use: (directory: string) => Promise<Result>,
): Promise<Result> {
  const directory = await Deno.makeTempDir({ prefix: "helpers-" });
  try {
    for (const [name, script] of Object.entries(scripts)) {
      const path = `${directory}/docker-credential-${name}`;
      await Deno.writeTextFile(path, `#!/bin/sh\n/bin/cat > "$0.asked"\nenv > "$0.env"\n${script}\n`, {
        mode: 0o755,
      });
    }
    return await use(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** The helper's own directory comes first, then what scripts need. */
function environmentOf(directory: string): Record<string, string> {
  return {
    PATH: `${directory}:/usr/bin:/bin`,
    HOME: directory,
    AWS_REGION: "eu",
    REGISTRY_PASSWORD: "hidden",
    DOCKER_AUTH_CONFIG: "hidden",
  };
}

const GOOD = `echo '{"ServerURL":"x","Username":"robot","Secret":"s3cret"}'`;

Deno.test("askHelper: gets user and secret, or a refresh token", async () => {
  await withHelpers({
    good: GOOD,
    token: `echo '{"Username":"<token>","Secret":"refresh"}'`,
  }, async (directory) => {
    const ask = (helper: string) =>
      askHelper(
        { helper, server: "harbor.example", environment: environmentOf(directory), signal: NEVER },
        patientWorld(),
      );
    assertEquals(await ask("good"), { kind: "password", username: "robot", password: "s3cret" });
    assertEquals((await ask("token"))?.kind, "identity");
    assertEquals(await Deno.readTextFile(`${directory}/docker-credential-good.asked`), "harbor.example");
    const environment = await Deno.readTextFile(`${directory}/docker-credential-good.env`);
    assert(environment.includes("AWS_REGION=eu"));
    assertEquals(environment.includes("hidden"), false);
  });
});

Deno.test("askHelper: a helper that does not help only warns, and its secret is not told", async () => {
  const scripts = {
    failing: "echo s3cret >&2; exit 3",
    garbage: "echo '{\"Secret\": s3cret'",
    incomplete: `echo '{"Secret":"s3cret"}'`,
    babbling: "head -c 100000 /dev/zero",
    hanging: "exec sleep 60",
    // killed, it leaves a child of its own that holds the pipes open
    forking: `sleep 60 & echo $! > "$0.child"; wait`,
    // it has ended, but nobody can know whether its pipe brings more
    leaving: `sleep 60 & echo $! > "$0.child"; ${GOOD}`,
  };
  await withHelpers(scripts, async (directory) => {
    for (const helper of [...Object.keys(scripts), "absent", "../../bin/sh", "", "a b"]) {
      const world = ["hanging", "forking", "leaving"].includes(helper) ? testWorld() : patientWorld();
      const question = { helper, server: "h.example", environment: environmentOf(directory), signal: NEVER };
      assertEquals(await askHelper(question, world), undefined, helper);
      assertEquals(world.lines.filter(({ level }) => level === "warn").length, 1, helper);
      assertEquals(JSON.stringify(world.lines).includes("s3cret"), false, helper);
    }
    for (const helper of ["forking", "leaving"]) {
      Deno.kill(Number(await Deno.readTextFile(`${directory}/docker-credential-${helper}.child`)), "SIGKILL");
    }
  });
});

Deno.test("askHelper: 'not found' is an answer, not a fault", async () => {
  const script = "echo 'credentials not found in native keychain'; exit 1";
  await withHelpers({ empty: script }, async (directory) => {
    const world = patientWorld();
    const question = { helper: "empty", server: "h", environment: environmentOf(directory), signal: NEVER };
    assertEquals(await askHelper(question, world), undefined);
    assertEquals(world.lines, []);
  });
});

Deno.test("askHelper: an aborted wait ends with the signal's reason and without the child", async () => {
  await withHelpers({ hanging: "exec sleep 60" }, async (directory) => {
    const controller = new AbortController();
    const reason = new Error("enough");
    const question = {
      helper: "hanging",
      server: "h",
      environment: environmentOf(directory),
      signal: controller.signal,
    };
    const asked = askHelper(question, patientWorld());
    controller.abort(reason);
    assertEquals(await assertRejects(() => asked), reason);
  });
});

Deno.test("openCredentials: a registry's helper beats the store, both beat entries, a missing one falls back", async () => {
  const answer = (user: string) => `echo '{"Username":"${user}","Secret":"x"}'`;
  await withHelpers({ own: answer("own"), store: answer("store") }, async (directory) => {
    const target = { registry: "harbor.example", repository: "a" };
    const userOf = async (config: unknown) => {
      const environment = { ...environmentOf(directory), DOCKER_AUTH_CONFIG: JSON.stringify(config) };
      const found = await openCredentials({ environment }, patientWorld()).find(target, NEVER);
      return found?.kind === "password" ? found.username : found?.kind;
    };
    const auths = { "harbor.example": { username: "entry", password: "x" } };
    assertEquals(
      await userOf({ auths, credsStore: "store", credHelpers: { "harbor.example": "own" } }),
      "own",
    );
    assertEquals(
      await userOf({ auths, credsStore: "store", credHelpers: { "other.example": "own" } }),
      "store",
    );
    assertEquals(await userOf({ auths, credsStore: "absent" }), "entry");
    assertEquals(await userOf({ auths: { "harbor.example": {} }, credsStore: "absent" }), undefined);
  });
});
