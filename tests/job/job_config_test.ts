import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import * as fc from "fast-check";
import { formatDeviceAddress } from "../../src/device/device_address.ts";
import { ConfigError } from "../../src/job/config_error.ts";
import { type JobConfig, readJobConfig } from "../../src/job/job_config.ts";
import { FLASH_OPTIONS } from "../../src/job/job_options.ts";
import type { Environment, Flags } from "../../src/job/option.ts";
import { Settings } from "../../src/job/option.ts";
import { formatReference } from "../../src/registry/reference.ts";
import { configOf, ENOUGH, faultsOf } from "./job_world.ts";

const DIGEST = (digit: string): string => `sha256:${digit.repeat(64)}`;

interface Row {
  readonly flag: string;
  readonly variable?: string;
  /** Two values to tell flag and variable apart, as they are given and as they are read. */
  readonly given: readonly [flag: string, variable: string];
  readonly read: (config: JobConfig) => unknown;
  readonly expected: readonly [flag: unknown, variable: unknown];
  /** What is read when neither is given. */
  readonly fallback: unknown;
}

function row(
  flag: string,
  variable: string,
  read: Row["read"],
  rest: Pick<Row, "given" | "fallback"> & Partial<Row>,
): Row {
  return { flag, variable, read, expected: rest.given, ...rest };
}

/** Everything that takes one value, but for what a job cannot do without: those are below. */
const ROWS: readonly Row[] = [
  row("agent", "OTA_AGENT_PATH", ({ agent }) => agent, {
    given: ["/a/agent", "builtin"],
    expected: [{ kind: "classic", path: "/a/agent" }, { kind: "builtin" }],
    fallback: { kind: "default", path: "/usr/local/bin/ota-agent" },
  }),
  row("agent-ip", "EXTERNAL_IP", ({ agentIp }) => agentIp, {
    given: ["192.168.11.2", "192.168.11.3"],
    fallback: undefined,
  }),
  row("agent-ip", "AGENT_IP", ({ agentIp }) => agentIp, {
    given: ["192.168.11.2", "192.168.11.3"],
    fallback: undefined,
  }),
  row("agent-port", "AGENT_PORT", ({ agentPort }) => agentPort, {
    given: ["1", "65535"],
    expected: [1, 65535],
    fallback: 4433,
  }),
  row("server-crt", "SERVER_CRT_PATH", ({ serverCertificate }) => serverCertificate, {
    given: ["a.crt", "b.crt"],
    fallback: "/ota/certs/server.crt",
  }),
  row("server-key", "SERVER_KEY_PATH", ({ serverKey }) => serverKey, {
    given: ["a.key", "b.key"],
    fallback: "/ota/certs/server.key",
  }),
  row("verify-identity", "VERIFY_IDENTITY", ({ verifyIdentity }) => verifyIdentity, {
    given: ["require", "OFF"],
    expected: ["require", "off"],
    fallback: "auto",
  }),
  row("expect-version", "VERSION", ({ expectVersion }) => expectVersion, {
    given: ["2.0.0", "1.0.0"],
    fallback: undefined,
  }),
  row("confirm", "CONFIRM", ({ confirm }) => confirm, { given: ["require", "off"], fallback: "auto" }),
  row("confirm-host", "CONFIRM_HOST", ({ confirmHost }) => confirmHost && formatDeviceAddress(confirmHost), {
    given: ["10.0.0.1", "http://10.0.0.2:81"],
    expected: ["10.0.0.1:80", "10.0.0.2:81"],
    fallback: undefined,
  }),
  row("termination-log", "TERMINATION_LOG", ({ terminationLog }) => terminationLog, {
    given: ["/a", "/b"],
    fallback: "/dev/termination-log",
  }),
  ...([
    ["timeout", "FLASHJOB_TIMEOUT", "job", 600_000],
    ["device-timeout", "DEVICE_TIMEOUT", "device", 10_000],
    ["ready-timeout", "READY_TIMEOUT", "ready", 15_000],
    ["dial-in-timeout", "DIAL_IN_TIMEOUT", "dialIn", 90_000],
    ["redial-timeout", "REDIAL_TIMEOUT", "redial", 15_000],
    ["attestation-timeout", "ATTESTATION_TIMEOUT", "attestation", 30_000],
    ["transfer-idle-timeout", "TRANSFER_IDLE_TIMEOUT", "transferIdle", 30_000],
    ["confirm-timeout", "CONFIRM_TIMEOUT", "confirm", 60_000],
    ["restart-delay", "RESTART_DELAY", "restartDelay", 3000],
  ] as const).map(([flag, variable, name, fallback]) =>
    row(flag, variable, ({ timeouts }) => timeouts[name], {
      given: ["1m30s", "5"],
      expected: [90_000, 5000],
      fallback,
    })
  ),
  row("platform-os", "PLATFORM_OS", ({ pull }) => pull.platformOs, { given: ["a", "b"], fallback: "custom" }),
  row("firmware-path", "FIRMWARE_PATH", ({ pull }) => pull.firmwarePath, {
    given: ["firmware/a.bin", "firmware/b.bin"],
    fallback: undefined,
  }),
  row("max-firmware-size", "MAX_FIRMWARE_SIZE", ({ pull }) => pull.maxFirmwareSize, {
    given: ["1MiB", "900k"],
    expected: [1_048_576, 921_600],
    fallback: 536_870_912,
  }),
  row("expect-digest", "EXPECT_DIGEST", ({ pull }) => pull.expectDigest, {
    given: [DIGEST("a"), DIGEST("b")],
    fallback: undefined,
  }),
  row("registry-config", "REGISTRY_CONFIG", ({ pull }) => pull.registry.registryConfig, {
    given: ["/a", "/b"],
    fallback: undefined,
  }),
  row("ca-file", "REGISTRY_CA_FILE", ({ pull }) => pull.registry.caFile, {
    given: ["/a", "/b"],
    fallback: undefined,
  }),
  row("cache", "FLASHJOB_CACHE", ({ pull }) => pull.registry.cache, {
    given: ["/a", "/b"],
    fallback: undefined,
  }),
  row("registry-idle-timeout", "REGISTRY_IDLE_TIMEOUT", ({ pull }) => pull.registry.idleTimeout, {
    given: ["2s", "500ms"],
    expected: [2000, 500],
    fallback: 30_000,
  }),
  row("max-image-size", "MAX_IMAGE_SIZE", ({ check }) => check.maxImageSize, {
    given: ["1MiB", "2MiB"],
    expected: [1_048_576, 2_097_152],
    fallback: undefined,
  }),
  row("min-secure-version", "MIN_SECURE_VERSION", ({ check }) => check.minSecureVersion, {
    given: ["3", "0"],
    expected: [3, 0],
    fallback: undefined,
  }),
  row("verify-signature", "VERIFY_SIGNATURE", ({ signature }) => signature.mode, {
    given: ["require", "Off"],
    expected: ["require", "off"],
    // the signature room's default is auto too, but stands below the policy file
    fallback: undefined,
  }),
  ...([
    ["certificate-identity", "CERTIFICATE_IDENTITY", "identity"],
    ["certificate-identity-regexp", "CERTIFICATE_IDENTITY_REGEXP", "identityRegexp"],
    ["certificate-oidc-issuer", "CERTIFICATE_OIDC_ISSUER", "issuer"],
    ["certificate-oidc-issuer-regexp", "CERTIFICATE_OIDC_ISSUER_REGEXP", "issuerRegexp"],
    ["trusted-root", "TRUSTED_ROOT", "trustedRoot"],
    ["signature-policy", "SIGNATURE_POLICY", "policyFile"],
  ] as const).map(([flag, variable, name]) =>
    row(flag, variable, ({ signature }) => signature[name], { given: ["a", "b"], fallback: undefined })
  ),
];

/** The same for lists. */
const LISTS: readonly (readonly [flag: string, variable: string, read: (config: JobConfig) => unknown])[] = [
  ["secure-boot-key", "SECURE_BOOT_KEY", ({ check }) => check.trustedKeyFiles],
  ["cosign-key", "COSIGN_KEY", ({ signature }) => signature.keys ?? []],
  ["signature-annotation", "SIGNATURE_ANNOTATION", ({ signature }) => signature.annotations ?? []],
  ["signed-as", "SIGNED_AS", ({ signature }) => signature.signedAs ?? []],
];

/** The same for switches. */
const SWITCHES: readonly (readonly [flag: string, variable: string, read: (config: JobConfig) => boolean])[] =
  [
    ["dry-run", "DRY_RUN", ({ dryRun }) => dryRun],
    ["skip-if-current", "SKIP_IF_CURRENT", ({ skipIfCurrent }) => skipIfCurrent],
    ["allow-downgrade", "ALLOW_DOWNGRADE", ({ allowDowngrade }) => allowDowngrade],
    [
      "require-secure-boot-signature",
      "REQUIRE_SECURE_BOOT_SIGNATURE",
      ({ check }) => check.requireSecureBootSignature,
    ],
  ];

Deno.test("readJobConfig: a flag wins over its variable, the variable over the default, and empty is not given", () => {
  for (const { flag, variable = "", given, read, expected, fallback } of ROWS) {
    const what = `--${flag} ${variable}`;
    assertEquals(read(configOf({ [flag]: given[0] }, { [variable]: given[1] })), expected[0], what);
    assertEquals(read(configOf({}, { [variable]: given[1] })), expected[1], what);
    assertEquals(read(configOf({ [flag]: "" }, { [variable]: ` ${given[1]} ` })), expected[1], what);
    assertEquals(read(configOf({ [flag]: "" }, { [variable]: "  " })), fallback, what);
    assertEquals(read(configOf()), fallback, what);
  }
});

Deno.test("readJobConfig: lists of a flag win over the commas of a variable", () => {
  for (const [flag, variable, read] of LISTS) {
    assertEquals(read(configOf({ [flag]: ["a=1", "b=2"] }, { [variable]: "c=3" })), ["a=1", "b=2"], flag);
    assertEquals(read(configOf({}, { [variable]: " c=3, d=4 ,," })), ["c=3", "d=4"], flag);
    assertEquals(read(configOf({ [flag]: [""] }, { [variable]: "" })), [], flag);
  }
});

Deno.test("readJobConfig: switches by flag and variable, and a flag can say no", () => {
  for (const [flag, variable, read] of SWITCHES) {
    assertEquals(read(configOf()), false, flag);
    assertEquals(read(configOf({ [flag]: true })), true, flag);
    assertEquals(read(configOf({ [flag]: false }, { [variable]: "1" })), false, flag);
    for (const yes of ["1", "true", "YES", "on"]) assertEquals(read(configOf({}, { [variable]: yes })), true);
    for (const no of ["0", "false", "No", "off", ""]) {
      assertEquals(read(configOf({}, { [variable]: no })), false);
    }
    const [fault = ""] = faultsOf({}, { [variable]: "ja" });
    assertStringIncludes(fault, `${variable}: Cannot use 'ja'`);
  }
});

Deno.test("readJobConfig: every option of the table is read by one of these tests", () => {
  const elsewhere = [
    "device",
    "firmware",
    "host",
    "attestation-url",
    "username",
    "password-stdin",
    "client-cert",
    "client-key",
    "registry-mirror",
    "plain-http",
    "force-image",
    "secure-boot-key-digest",
    "output",
    "log-level",
    "log-format",
    "help",
    "version",
  ];
  const read = [
    ...ROWS.map(({ flag }) => flag),
    ...LISTS.map(([flag]) => flag),
    ...SWITCHES.map(([flag]) => flag),
  ];
  const missing = FLASH_OPTIONS.map(({ name }) => name).filter((name) =>
    ![...read, ...elsewhere].includes(name)
  );
  assertEquals(missing, []);
});

Deno.test("readJobConfig: device, firmware and host by flag, variable, and in the forms seen in the field", () => {
  const devices: [string, string][] = [
    ["esp32-s3", "esp32s3"],
    ["ESP32-S3", "esp32s3"],
    ["esp32_s2r2", "esp32s2r2"],
    [" esp32c6 ", "esp32c6"],
  ];
  for (const [given, device] of devices) assertEquals(configOf({}, { DEVICE: given }).pull.device, device);
  assertEquals(configOf({ device: "esp32" }, { DEVICE: "esp32s3" }).pull.device, "esp32");
  assertEquals(
    formatReference(configOf({ firmware: "other.example/x:1" }).firmware),
    "other.example/x:1",
  );
  assertEquals(formatReference(configOf().firmware), ENOUGH["FIRMWARE"]);
  assertEquals(formatDeviceAddress(configOf({ host: "10.0.0.9:81" }).host), "10.0.0.9:81");
});

const MISSING = ["FIRMWARE", "DEVICE", "HOST_ENDPOINT", "DICE_AUTH_URL"] as const;

Deno.test("readJobConfig: what is missing is told by flag and variable, all at once", () => {
  const error = assertThrows(
    () => readJobConfig(new Settings(FLASH_OPTIONS, {}, {}), undefined),
    ConfigError,
  );
  assertEquals(error.faults.length, MISSING.length);
  for (const variable of MISSING) {
    assertEquals(error.faults.filter((fault) => fault.includes(variable)).length, 1, variable);
    assertEquals(faultsOf({}, { [variable]: "" }).length, 1);
  }
});

Deno.test("readJobConfig: every fault is told, each with where it comes from", () => {
  const flags: Flags = {
    "agent-port": "0",
    "confirm": "sometimes",
    "force-image": ["wrong-chip", "everything"],
    "registry-mirror": ["a=b", "nonsense"],
    "secure-boot-key-digest": ["abc"],
    "client-cert": "a.pem",
    "username": "ci",
  };
  const environment: Environment = {
    FIRMWARE: "Not A Reference",
    DEVICE: "esp32 s3!",
    HOST_ENDPOINT: "https://192.168.11.20",
    EXTERNAL_IP: "agent.example",
    DICE_AUTH_URL: "ftp://attestation",
    CONFIRM_TIMEOUT: "soon",
    MAX_IMAGE_SIZE: "big",
    MIN_SECURE_VERSION: "33",
    EXPECT_DIGEST: "sha256:1",
    VERIFY_SIGNATURE: "requier",
    VERIFY_IDENTITY: "maybe",
    DRY_RUN: "ja",
    CONFIRM_HOST: "http://a/b",
    LOG_LEVEL: "loud",
    LOG_FORMAT: "xml",
    FLASHJOB_OUTPUT: "yaml",
  };
  const faults = faultsOf(flags, environment);
  const origins = [
    ...Object.keys(environment).map((name) => `${name}: `),
    "--agent-port: ",
    "--confirm: ",
    "--force-image: ",
    "--registry-mirror: ",
    "--secure-boot-key-digest: ",
    "--username is given without --password-stdin",
    "--client-cert and --client-key",
  ];
  for (const origin of origins) {
    assertEquals(
      faults.filter((fault) => fault.startsWith(origin)).length,
      1,
      `${origin}\n${faults.join("\n")}`,
    );
  }
  assertEquals(faults.length, origins.length, faults.join("\n"));
});

Deno.test("readJobConfig: user and password come together, and neither is empty", () => {
  const both = configOf({ username: "ci" }, {}, "hunter2").pull.registry.credentials;
  assertEquals(both, { username: "ci", password: "hunter2" });
  assertEquals(configOf({}, { REGISTRY_USERNAME: "ci" }, "x").pull.registry.credentials?.username, "ci");
  assertMatch(faultsOf({ username: "ci" })[0] ?? "", /--username is given without --password-stdin/);
  assertMatch(faultsOf({}, {}, "hunter2")[0] ?? "", /--password-stdin is given without --username/);
  assertMatch(faultsOf({ username: "ci" }, {}, "")[0] ?? "", /standard input is empty/);
});

Deno.test("readJobConfig: a certificate for the registry belongs to the registry of the image", () => {
  const config = configOf({ "client-cert": "a.pem", "client-key": "a.key" });
  assertEquals(config.pull.registry.clientIdentity, {
    registry: "registry.example",
    certificateFile: "a.pem",
    keyFile: "a.key",
  });
  assertEquals(configOf({ "registry-mirror": ["a.example=b.example:5000"] }).pull.registry.mirrors, [
    { registry: "a.example", mirror: "b.example:5000" },
  ]);
  const mirrors = configOf({}, { REGISTRY_MIRROR: "docker.io=https://m.example/hub, a=[::1]:5000/x/y" });
  assertEquals(mirrors.pull.registry.mirrors, [
    { registry: "docker.io", mirror: "https://m.example/hub" },
    { registry: "a", mirror: "[::1]:5000/x/y" },
  ]);
  for (const wrong of ["a", "a=", "=b", "a=b=c", "a=http://b", "a=b?x", "a=b c", "http://a=b", "a=me@b"]) {
    assertMatch(
      faultsOf({ "registry-mirror": [wrong] })[0] ?? "",
      /^--registry-mirror: .*HOST=MIRROR/,
      wrong,
    );
  }
});

Deno.test("readJobConfig: registries that speak plain HTTP are named by host, never by URL", () => {
  const plain = configOf({}, { PLAIN_HTTP: "registry:5000, [::1]:5000 , 10.0.0.1" }).pull.registry.plainHttp;
  assertEquals(plain, ["registry:5000", "[::1]:5000", "10.0.0.1"]);
  for (const wrong of ["http://registry", "user@registry", "registry/path", "*"]) {
    assertMatch(faultsOf({ "plain-http": [wrong] })[0] ?? "", /^--plain-http: .*wanted HOST\[:PORT\]/);
  }
});

Deno.test("readJobConfig: who the job is for is only shown, and empty is nobody", () => {
  assertEquals(configOf({}, { UUID: " 5f ", APPLICATION_TYPE: "thermo" }).identity, {
    uuid: "5f",
    applicationType: "thermo",
  });
  assertEquals(configOf({}, { UUID: "", APPLICATION_TYPE: " " }).identity, {
    uuid: undefined,
    applicationType: undefined,
  });
});

Deno.test("readJobConfig: a Service named 'agent' sets no port, and that is told", () => {
  for (const link of ["tcp://10.96.0.7:80", "udp://agent.example:4433", "TCP://[fd00::7]:80"]) {
    const config = configOf({}, { AGENT_PORT: link });
    assertEquals([config.agentPort, config.warnings.length], [4433, 1]);
    assertStringIncludes(config.warnings[0] ?? "", `AGENT_PORT=${link} counts as not given`);
    assertEquals(configOf({ "agent-port": "5000" }, { AGENT_PORT: link }).agentPort, 5000);
    assertMatch(faultsOf({ "agent-port": link })[0] ?? "", /^--agent-port: Cannot use/);
    assertMatch(faultsOf({}, { FLASHJOB_TIMEOUT: link })[0] ?? "", /^FLASHJOB_TIMEOUT: /);
  }
  for (const wrong of ["tcp://10.96.0.7", "http://10.96.0.7:80", "tcp://10.96.0.7:80/x", "10.96.0.7:80"]) {
    assertMatch(faultsOf({}, { AGENT_PORT: wrong })[0] ?? "", /^AGENT_PORT: Cannot use/);
  }
  assertEquals(configOf().warnings, []);
});

Deno.test("readJobConfig: a password stands in no fault", () => {
  const secret = fc.stringMatching(/^[A-Za-z0-9!$&*+,;=:_.~-]{8,24}$/);
  const places = fc.constantFrom<[variable: string, before: string, after: string]>(
    ["HOST_ENDPOINT", "http://user:", "@192.168.11.20"],
    ["HOST_ENDPOINT", "https://user:", "@host"],
    ["HOST_ENDPOINT", "http://192.168.11.20/?token=", ""],
    ["CONFIRM_HOST", "user:", "@192.168.11.20"],
    ["DICE_AUTH_URL", "http://user:", "@attestation:8000"],
    ["DICE_AUTH_URL", "user:", "@attestation"],
    ["DICE_AUTH_URL", "ftp://user:", "@attestation"],
    ["DICE_AUTH_URL", "http://attestation:8000/?key=", ""],
    ["DICE_AUTH_URL", "http://user:", "@bad host"],
    ["FIRMWARE", "user:", "@registry.example/a:1"],
    ["FIRMWARE", "https://user:", "@registry.example/a:1"],
    ["FIRMWARE", "oci://user:", "@registry.example"],
    ["EXTERNAL_IP", "user:", "@10.0.0.1"],
    ["REGISTRY_MIRROR", "https://user:", "@mirror"],
  );
  fc.assert(
    fc.property(secret, places, (hidden, [variable, before, after]) => {
      const faults = faultsOf({}, { [variable]: `${before}${hidden}${after}` });
      assert(faults.length > 0, variable);
      for (const fault of faults) assert(!fault.includes(hidden), fault);
    }),
    { seed: 20266, numRuns: 3000 },
  );
});

Deno.test("readJobConfig: the registry password is in no fault", () => {
  const faults = faultsOf({ "username": "ci", "agent-port": "x" }, { HOST_ENDPOINT: "" }, "hunter2-secret");
  assertEquals(faults.length, 2);
  assert(!faults.join().includes("hunter2"));
});
