import { assert, assertEquals, assertMatch } from "@std/assert";
import { parseAll } from "@std/yaml";
import { fileURLToPath } from "node:url";
import { FLASH_OPTIONS } from "../../src/job/job_options.ts";
import { startLab } from "../lab/lab_world.ts";
import { processEnvironment } from "../lab/program.ts";

const DIRECTORY = fileURLToPath(new URL("../../deploy/ci/", import.meta.url));

/** `npx -y deno@VERSION ...` without the download: this very Deno, if it is the version that is asked for. */
const NPX = `#!/bin/sh
test "$1 $2" = "-y deno@${Deno.version.deno}" || exit 99
shift 2
exec '${Deno.execPath()}' "$@"
`;

async function dryRun(
  environment: Readonly<Record<string, string>>,
): Promise<{ code: number; stdout: string }> {
  const directory = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${directory}/npx`, NPX, { mode: 0o755 });
    const { PATH = "", ...needed } = processEnvironment();
    const { code, stdout } = await new Deno.Command(`${DIRECTORY}dry_run.sh`, {
      env: { ...needed, PATH: `${directory}:${PATH}`, NO_COLOR: "1", ...environment },
      clearEnv: true,
      stdin: "null",
    }).output();
    return { code, stdout: new TextDecoder().decode(stdout) };
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("dry_run.sh: reports in JSON, ends with flashjob's code, and leaves the device as it is", async () => {
  await using lab = await startLab();
  const { DOCKER_CONFIG, ...environment } = lab.environment;
  const DOCKER_AUTH_CONFIG = await Deno.readTextFile(`${DOCKER_CONFIG}/config.json`);
  const [fits, other, denied] = await Promise.all([
    dryRun({ ...environment, DOCKER_AUTH_CONFIG }),
    dryRun({ ...environment, DOCKER_AUTH_CONFIG, DEVICE: "esp32" }),
    dryRun(environment),
  ]);
  assertEquals([fits.code, JSON.parse(fits.stdout).outcome], [0, "dry-run"]);
  assertEquals(JSON.parse(other.stdout).outcome, "wrong-target");
  assertEquals(JSON.parse(denied.stdout).outcome, "registry-auth");
  assertEquals([JSON.parse(other.stdout).code, JSON.parse(denied.stdout).code], [other.code, denied.code]);
  assertEquals(lab.device.running.version, "1.0.0");
});

Deno.test("deploy/ci: the examples are YAML, run the script, and set variables that the program reads", async () => {
  const known = new Set(
    FLASH_OPTIONS.flatMap((option) => option.variables ?? []).concat("DOCKER_AUTH_CONFIG"),
  );
  for (const name of ["github-actions.yaml", "gitlab-ci.yaml"]) {
    const text = await Deno.readTextFile(`${DIRECTORY}${name}`);
    assertEquals(parseAll(text).length, 1, name);
    assertMatch(text, /deploy\/ci\/dry_run\.sh/, name);
    for (const [, variable = ""] of text.matchAll(/^ +([A-Z_]+): /gm)) assert(known.has(variable), variable);
    // An action is code of somebody else: a tag can be moved, a commit cannot.
    for (const [, version] of text.matchAll(/uses: \S+@(\S+)/g)) assertMatch(version ?? "", /^[0-9a-f]{40}$/);
  }
});
