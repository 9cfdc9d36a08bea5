import { assert, assertEquals } from "@std/assert";
import { agentCommand, type AgentCommandSettings } from "../../src/agent/agent_command.ts";

const settings: Omit<AgentCommandSettings, "agent"> = {
  firmwarePath: "/tmp/f.bin",
  attestationUrl: new URL("http://10.1.2.3:8000"),
  certificatePath: "/ota/certs/server.crt",
  keyPath: "/ota/certs/server.key",
  environment: {
    PATH: "/usr/bin",
    TZ: "Europe/Athens",
    LANG: undefined,
    HOME: "/root",
    DENO_DIR: "/deno",
    DOCKER_AUTH_CONFIG: "secret",
    REGISTRY_PASSWORD: "secret",
    NEW_FIRMWARE_PATH: "/evil",
    HTTP_PROXY: "http://user:secret@proxy",
  },
};

const flags = {
  port: 4433,
  dialInTimeout: 90_000,
  redialTimeout: 15_000,
  attestationTimeout: 4_000,
  transferIdleTimeout: 20_000,
  timeout: 1_800_000,
  verifyIdentity: "auto",
} as const;

const variables = {
  PATH: "/usr/bin",
  TZ: "Europe/Athens",
  NEW_FIRMWARE_PATH: "/tmp/f.bin",
  DICE_AUTH_URL: "http://10.1.2.3:8000",
  SERVER_CRT_PATH: "/ota/certs/server.crt",
  SERVER_KEY_PATH: "/ota/certs/server.key",
};

Deno.test("agentCommand: the classic agent gets four variables, the allow-list, and no arguments", () => {
  const agent = { kind: "classic", path: "/usr/local/bin/ota-agent" } as const;
  assertEquals(agentCommand({ ...settings, agent }), { path: agent.path, args: [], env: variables });
});

Deno.test("agentCommand: the compiled program gets the same environment, and flags", () => {
  const agent = { kind: "builtin", program: "/flashjob", programArgs: [], flags } as const;
  const command = agentCommand({ ...settings, agent });
  assertEquals(command.env, variables);
  assertEquals(command.path, "/flashjob");
  assertEquals(
    command.args.join(" "),
    [
      "agent --port 4433 --dial-in-timeout 90000ms --redial-timeout 15000ms",
      "--attestation-timeout 4000ms --transfer-idle-timeout 20000ms --timeout 1800000ms --verify-identity auto",
    ].join(" "),
  );
});

Deno.test("agentCommand: what is known of the device goes along, deno finds its cache", () => {
  const command = agentCommand({
    ...settings,
    agent: {
      kind: "builtin",
      program: "deno",
      programArgs: ["run", "-A", "main.ts"],
      flags: {
        ...flags,
        expectCertificate: "ab".repeat(32),
        expectAddress: "10.0.0.5",
        attestedAhead: { certificateSha256: "ab".repeat(32), at: 123 },
      },
    },
  });
  assertEquals(command.args.slice(0, 4), ["run", "-A", "main.ts", "agent"]);
  assertEquals(command.args.slice(-6), [
    "--expect-certificate",
    "ab".repeat(32),
    "--expect-address",
    "10.0.0.5",
    "--attested-ahead",
    `${"ab".repeat(32)}@123`,
  ]);
  assertEquals(command.env, { ...variables, HOME: "/root", DENO_DIR: "/deno" });
});

Deno.test("agentCommand: no secret of ours passes, in any form", () => {
  for (const programArgs of [[], ["run", "main.ts"]]) {
    const command = agentCommand({
      ...settings,
      agent: { kind: "builtin", program: "p", programArgs, flags },
    });
    assert(!JSON.stringify(command).includes("secret"));
    assert(!JSON.stringify(command).includes("evil"));
  }
});

Deno.test("agentCommand: the attestation server is written with its port, without what does not belong there", () => {
  const urls = {
    "http://host/": "http://host:80",
    "https://host": "https://host:443",
    "http://host:8000/verify": "http://host:8000/verify",
    "http://user:secret@host:8000/?token=secret#x": "http://host:8000",
    "http://[::1]:8000": "http://[::1]:8000",
  };
  for (const [url, expected] of Object.entries(urls)) {
    const agent = { kind: "classic", path: "a" } as const;
    const { env } = agentCommand({ ...settings, attestationUrl: new URL(url), agent });
    assertEquals(env["DICE_AUTH_URL"], expected);
  }
});
