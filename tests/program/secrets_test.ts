/**
 * Nothing secret leaves the program: not in its output at any level and format, not in its report, not in the
 * environment of an agent.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { environmentOf, writeClassicAgent } from "../lab/classic_agent.ts";
import { type Lab, LAB_USER, type LabOptions, startLab } from "../lab/lab_world.ts";
import { answer, blobRequests, manifestRequests } from "../lab/registry_fault.ts";
import { bytesReply } from "../lab/registry_reply.ts";
import { type LabJobOptions, runLabJob } from "./lab_job.ts";

/** Variables that a pod may have and that are nobody's business. */
const SURROUNDINGS = {
  SECRET: "s3cr3t-of-somebody-else",
  AWS_SECRET_ACCESS_KEY: "wJalrXUtnFEMI/K7MDENG",
  DOCKER_AUTH_CONFIG: JSON.stringify({
    auths: { "unused.example": { auth: btoa("other:hunter2-of-other") } },
  }),
  UNRELATED_VARIABLE: "unrelated-value",
};

/** Every text that must not appear anywhere, once the run is over. */
function secretsOf(lab: Lab, more: readonly string[] = []): string[] {
  return [
    LAB_USER.password,
    btoa(`${LAB_USER.name}:${LAB_USER.password}`),
    btoa(LAB_USER.password),
    encodeURIComponent(LAB_USER.password),
    ...lab.registry.issuer?.issued.map(({ token }) => token) ?? [],
    ...Object.values(SURROUNDINGS),
    "hunter2-of-other",
    btoa("other:hunter2-of-other"),
    ...more,
  ];
}

/** Runs a job at the most talkative level and asserts that no secret is in anything it wrote. */
async function assertSilent(
  lab: Lab,
  options: LabJobOptions & { readonly format: "text" | "json"; readonly code: number },
  secrets: readonly string[] = [],
): Promise<void> {
  const termination = `${lab.directory}/termination-log`;
  await Deno.writeTextFile(termination, "");
  const run = await runLabJob(lab, {
    ...options,
    args: [
      ...["--log-level", "debug", "--log-format", options.format, "--output", options.format],
      ...["--termination-log", termination],
      ...options.args ?? [],
    ],
    environment: { ...SURROUNDINGS, ...options.environment },
  });
  assertEquals(run.code, options.code, run.stdout + run.stderr);
  const message = await Deno.readTextFile(termination);
  assert(message !== "", "no termination message");
  const written = [run.stdout, run.stderr, message].join("\n");
  for (const secret of secretsOf(lab, secrets)) {
    assert(!written.includes(secret), `'${secret}' was written:\n${written}`);
  }
  for (const name of Object.keys(SURROUNDINGS)) assert(!written.includes(name), `${name} was written`);
}

interface SecretCase {
  readonly name: string;
  readonly lab?: LabOptions;
  readonly arrange?: (lab: Lab) => void;
  readonly code: number;
}

const cases: readonly SecretCase[] = [
  { name: "a job that ends well", code: 0 },
  {
    name: "a registry that refuses the credentials and repeats them",
    arrange: (lab) => {
      lab.registry.fault({
        match: manifestRequests(),
        action: (reply, request) => {
          const shown = request.headers.get("authorization");
          if (shown === null) return reply;
          const error = { code: "DENIED", message: `not with ${shown}`, detail: LAB_USER.password };
          return bytesReply(403, new TextEncoder().encode(JSON.stringify({ errors: [error] })));
        },
      });
    },
    code: 11,
  },
  {
    name: "a blob that fails",
    arrange: (lab) => {
      lab.registry.fault({ match: blobRequests(), action: answer(404) });
    },
    code: 12,
  },
  { name: "a device that refuses", lab: { behaviour: { update: 500 } }, code: 21 },
  { name: "an attestation that is refused", lab: { attestation: "401" }, code: 24 },
];

for (const format of ["text", "json"] as const) {
  for (const { name, lab: options, arrange, code } of cases) {
    Deno.test(`flashjob: ${name} writes no secret (${format})`, async () => {
      await using lab = await startLab(options);
      arrange?.(lab);
      await assertSilent(lab, { format, code });
      assert((lab.registry.issuer?.issued.length ?? 0) > 0, "no token was issued");
    });
  }

  Deno.test(`flashjob: a password from standard input is written nowhere, right or wrong (${format})`, async () => {
    await using lab = await startLab();
    const environment = { DOCKER_CONFIG: "/nonexistent", REGISTRY_USERNAME: LAB_USER.name };
    const args = ["--password-stdin"];
    await assertSilent(lab, { format, code: 11, args, environment, input: "wr0ng-password\n" }, [
      "wr0ng-password",
      btoa(`${LAB_USER.name}:wr0ng-password`),
    ]);
    await assertSilent(lab, { format, code: 0, args, environment, input: `${LAB_USER.password}\n` });
  });
}

Deno.test("flashjob: what is longer than any password is refused as a whole", async () => {
  await using lab = await startLab();
  const environment = { DOCKER_CONFIG: "/nonexistent", REGISTRY_USERNAME: LAB_USER.name };
  const input = `${LAB_USER.password}\n`.padEnd(65_537, "x");
  const run = await runLabJob(lab, { args: ["--password-stdin"], environment, input });
  assertEquals(run.code, 2, run.stderr);
  assertStringIncludes(
    run.stdout,
    "--password-stdin: standard input is no password: it holds more than 65536",
  );
  assertEquals(lab.registry.requests, []);
});

Deno.test("flashjob: an external agent's environment is its four variables and the allow-list", async () => {
  await using lab = await startLab();
  const path = await writeClassicAgent(lab.directory, { port: lab.agentPort, timeScale: 1 / 40 });
  await assertSilent(lab, {
    format: "text",
    code: 0,
    environment: { OTA_AGENT_PATH: path, TZ: "Europe/Athens", LANG: "C.UTF-8" },
  });
  const seen = await environmentOf(path);
  assertEquals(Object.keys(seen).sort(), [
    "DICE_AUTH_URL",
    "LANG",
    "NEW_FIRMWARE_PATH",
    "PATH",
    "SERVER_CRT_PATH",
    "SERVER_KEY_PATH",
    "TZ",
  ]);
  assertNoSecret(lab, Object.values(seen).join("\n"));
});

Deno.test({
  name: "flashjob: the built-in agent's environment is its four variables and the allow-list",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using lab = await startLab({ behaviour: { dials: "never" } });
    const seen: string[] = [];
    let watch: ReturnType<typeof setInterval> | undefined;
    await assertSilent(lab, {
      format: "text",
      code: 22,
      args: ["--dial-in-timeout", "1s"],
      environment: { TZ: "Europe/Athens" },
      onStart: ({ pid }) => {
        watch = setInterval(() => seen.push(...environmentsOfChildren(pid)), 50);
      },
    });
    clearInterval(watch);
    // Between its fork and its exec a child shows its parent's environment: the last look counts.
    const last = seen.at(-1) ?? "";
    const names = last.split("\0").filter((line) => line !== "").map((line) => line.split("=")[0] ?? "");
    assertEquals(
      names.filter((name) => !["HOME", "DENO_DIR", "XDG_CACHE_HOME"].includes(name)).sort(),
      [
        "DICE_AUTH_URL",
        "NEW_FIRMWARE_PATH",
        "NO_COLOR",
        "PATH",
        "SERVER_CRT_PATH",
        "SERVER_KEY_PATH",
        "TZ",
      ],
    );
    assertNoSecret(lab, last);
  },
});

function assertNoSecret(lab: Lab, text: string): void {
  for (const secret of secretsOf(lab)) assert(!text.includes(secret), `'${secret}' in ${text}`);
}

/** The environments of a process's children. */
function environmentsOfChildren(pid: number): string[] {
  try {
    const children = Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`).split(" ").filter(Boolean);
    return children.map((child) => Deno.readTextFileSync(`/proc/${child}/environ`)).filter(Boolean);
  } catch {
    // A child that ends between the two looks is no child any more, which the runtime tells in several ways.
    return [];
  }
}
