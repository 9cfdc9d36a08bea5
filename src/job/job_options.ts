import type { Option } from "./option.ts";

const WHAT = "What and where";
const REGISTRY = "Registry";
const AGENT = "Agent and attestation";
const PROOF = "Proof of the outcome";
const IMAGE = "Image check";
const SIGNATURE = "Signature of the image";
const TIME = "Deadlines";
const OUTPUT = "Output";

/** How a command speaks whose result has one form. */
export const LOG_OPTIONS: readonly Option[] = [
  value("log-level", OUTPUT, "LEVEL", "debug, info, warning or error", ["LOG_LEVEL"], "info"),
  value("log-format", OUTPUT, "text|json", "how log lines are written", ["LOG_FORMAT"], "text"),
  toggle("help", OUTPUT, "this text"),
  toggle("version", OUTPUT, "the version of flashjob"),
];

/** How every other command speaks. */
export const OUTPUT_OPTIONS: readonly Option[] = [
  value(
    "output",
    OUTPUT,
    "text|json",
    "the result on stdout; logs always go to stderr",
    ["FLASHJOB_OUTPUT"],
    "text",
  ),
  ...LOG_OPTIONS,
];

/** How registries are reached: for every command that reads from one. */
export const REGISTRY_OPTIONS: readonly Option[] = [
  value(
    "platform-os",
    REGISTRY,
    "OS",
    "the operating system in the image's platform",
    ["PLATFORM_OS"],
    "custom",
  ),
  list(
    "plain-http",
    REGISTRY,
    "HOST[:PORT]",
    "registry that speaks plain HTTP; loopback ones do by default",
    [
      "PLAIN_HTTP",
    ],
  ),
  value(
    "registry-config",
    REGISTRY,
    "PATH",
    "docker config file, directory or pull secret, before DOCKER_AUTH_CONFIG, REGISTRY_AUTH_FILE, DOCKER_CONFIG",
    [
      "REGISTRY_CONFIG",
    ],
  ),
  value("username", REGISTRY, "NAME", "user for the registry of this image", ["REGISTRY_USERNAME"]),
  toggle("password-stdin", REGISTRY, "read that user's password from standard input"),
  value("ca-file", REGISTRY, "PEM", "certificates trusted besides the public ones", ["REGISTRY_CA_FILE"]),
  value("client-cert", REGISTRY, "PEM", "certificate shown to the registry of this image", [
    "REGISTRY_CLIENT_CERT",
  ]),
  value("client-key", REGISTRY, "PEM", "its key", ["REGISTRY_CLIENT_KEY"]),
  list(
    "registry-mirror",
    REGISTRY,
    "HOST=MIRROR",
    "ask MIRROR first for images of HOST, without HOST's credentials",
    [
      "REGISTRY_MIRROR",
    ],
  ),
  value("expect-digest", REGISTRY, "DIGEST", "the digest the reference must lead to", ["EXPECT_DIGEST"]),
  value("cache", REGISTRY, "DIR", "keep blobs here, by digest, for the next job", ["FLASHJOB_CACHE"]),
  value(
    "max-firmware-size",
    REGISTRY,
    "SIZE",
    "most bytes a layer may unpack to",
    ["MAX_FIRMWARE_SIZE"],
    "512MiB",
  ),
  value("registry-idle-timeout", REGISTRY, "TIME", "longest silence of a registry before it is asked again", [
    "REGISTRY_IDLE_TIMEOUT",
  ], "30s"),
];

/** Longest run of a command unless it is told otherwise. */
export const USUAL_TIMEOUT = "10m";

/** The deadline over everything a command does. */
export const TIMEOUT_OPTIONS: readonly Option[] = [
  value("timeout", TIME, "TIME", "the whole job", ["FLASHJOB_TIMEOUT"], USUAL_TIMEOUT),
];

/** Which image and for which device. */
export const IMAGE_OPTIONS: readonly Option[] = [
  value("device", WHAT, "CHIP", "chip or platform name: esp32, esp32s3, esp32s3r8 ...", ["DEVICE"]),
  value("firmware-path", WHAT, "PATH", "the firmware inside the image, when it is not the only one", [
    "FIRMWARE_PATH",
  ]),
];

/** What makes an image unfit to be sent. */
export const CHECK_OPTIONS: readonly Option[] = [
  list("force-image", IMAGE, "NAME", "send in spite of this finding of the image check", ["FORCE_IMAGE"]),
  value("max-image-size", IMAGE, "SIZE", "refuse larger images (the size of the device's slot)", [
    "MAX_IMAGE_SIZE",
  ]),
  toggle(
    "require-secure-boot-signature",
    IMAGE,
    "refuse images without a Secure Boot signature that their chip can check",
    [
      "REQUIRE_SECURE_BOOT_SIGNATURE",
    ],
  ),
  list("secure-boot-key-digest", IMAGE, "HEX", "trusted Secure Boot key digest, as burned into the device", [
    "SECURE_BOOT_KEY_DIGEST",
  ]),
  list("secure-boot-key", IMAGE, "FILE", "trusted Secure Boot public key, v1 or v2", ["SECURE_BOOT_KEY"]),
  value("min-secure-version", IMAGE, "N", "refuse images with a lower anti-rollback version", [
    "MIN_SECURE_VERSION",
  ]),
];

/** Who must have signed the image in the registry. */
export const SIGNATURE_OPTIONS: readonly Option[] = [
  value("verify-signature", SIGNATURE, "off|auto|require", "cosign signature of the image", [
    "VERIFY_SIGNATURE",
  ], "auto"),
  list("cosign-key", SIGNATURE, "PEM", "trusted public key", ["COSIGN_KEY"]),
  value("certificate-identity", SIGNATURE, "ID", "keyless: the signer's identity", ["CERTIFICATE_IDENTITY"]),
  value("certificate-identity-regexp", SIGNATURE, "RE", "the same as a regular expression", [
    "CERTIFICATE_IDENTITY_REGEXP",
  ]),
  value("certificate-oidc-issuer", SIGNATURE, "URL", "keyless: who vouched for the identity", [
    "CERTIFICATE_OIDC_ISSUER",
  ]),
  value("certificate-oidc-issuer-regexp", SIGNATURE, "RE", "the same as a regular expression", [
    "CERTIFICATE_OIDC_ISSUER_REGEXP",
  ]),
  value("trusted-root", SIGNATURE, "JSON", "keyless: the Sigstore trusted root", ["TRUSTED_ROOT"]),
  list("signature-annotation", SIGNATURE, "KEY=VALUE", "annotation that the signature must carry", [
    "SIGNATURE_ANNOTATION",
  ]),
  list("signed-as", SIGNATURE, "REPOSITORY", "another repository that the signature may name; * is any", [
    "SIGNED_AS",
  ]),
  value("signature-policy", SIGNATURE, "JSON", "policy file with rules by repository prefix", [
    "SIGNATURE_POLICY",
  ]),
];

/** The job itself. */
export const JOB_OPTIONS: readonly Option[] = [
  value("firmware", WHAT, "REFERENCE", "the image: registry/repository:tag or @digest", ["FIRMWARE"]),
  value("host", WHAT, "HOST[:PORT]", "the device; HOST_ENDPOINT_* and HOST are read too", ["HOST_ENDPOINT"]),
  toggle("dry-run", WHAT, "do everything but start the agent and ask the device to update", ["DRY_RUN"]),
  value(
    "agent",
    AGENT,
    "PATH|builtin",
    "agent program; default: /usr/local/bin/ota-agent if there, else builtin",
    ["OTA_AGENT_PATH"],
  ),
  value("agent-ip", AGENT, "A.B.C.D", "address announced to the device; default: the one that routes to it", [
    "EXTERNAL_IP",
    "AGENT_IP",
  ]),
  value(
    "agent-port",
    AGENT,
    "PORT",
    "where the agent listens: the port compiled into the device, which is told an address only",
    ["AGENT_PORT"],
    "4433",
  ),
  value("server-crt", AGENT, "PEM", "certificate the device has pinned, or a chain issued by it", [
    "SERVER_CRT_PATH",
  ], "/ota/certs/server.crt"),
  value("server-key", AGENT, "PEM", "its key", ["SERVER_KEY_PATH"], "/ota/certs/server.key"),
  value(
    "attestation-url",
    AGENT,
    "URL",
    "attestation server; DICE_AUTH_SERVICE_SERVICE_HOST and _PORT are read too",
    [
      "DICE_AUTH_URL",
    ],
  ),
  value("verify-identity", AGENT, "auto|require|off", "must the device that dials be the one at --host", [
    "VERIFY_IDENTITY",
  ], "auto"),
  value("expect-version", PROOF, "VERSION", "the version the new firmware reports; a hint, never a proof", [
    "VERSION",
  ]),
  value(
    "confirm",
    PROOF,
    "auto|require|off",
    "watch the device come back with the new version",
    ["CONFIRM"],
    "auto",
  ),
  value("confirm-host", PROOF, "HOST[:PORT]", "where the device will be after its restart", ["CONFIRM_HOST"]),
  toggle("skip-if-current", PROOF, "do nothing when the device already reports the image's version", [
    "SKIP_IF_CURRENT",
  ]),
  toggle("allow-downgrade", PROOF, "send an older version than the device runs", ["ALLOW_DOWNGRADE"]),
  ...TIMEOUT_OPTIONS,
  value("device-timeout", TIME, "TIME", "one HTTP answer of the device", ["DEVICE_TIMEOUT"], "10s"),
  value("ready-timeout", TIME, "TIME", "the agent listens", ["READY_TIMEOUT"], "15s"),
  value("dial-in-timeout", TIME, "TIME", "the device dials the agent (it tries for 80 s)", [
    "DIAL_IN_TIMEOUT",
  ], "90s"),
  value("redial-timeout", TIME, "TIME", "it dials again after a broken transfer (it tries every 4 s)", [
    "REDIAL_TIMEOUT",
  ], "15s"),
  value(
    "attestation-timeout",
    TIME,
    "TIME",
    "the attestation server's verdict",
    ["ATTESTATION_TIMEOUT"],
    "30s",
  ),
  value("transfer-idle-timeout", TIME, "TIME", "longest stand-still of the transfer", [
    "TRANSFER_IDLE_TIMEOUT",
  ], "30s"),
  value(
    "confirm-timeout",
    TIME,
    "TIME",
    "the device is back and has shown its version",
    ["CONFIRM_TIMEOUT"],
    "60s",
  ),
  value(
    "restart-delay",
    TIME,
    "TIME",
    "the device restarts no sooner after the transfer (it waits 4 s)",
    ["RESTART_DELAY"],
    "3s",
  ),
  value("termination-log", OUTPUT, "PATH", "Kubernetes termination message, written if the file is there", [
    "TERMINATION_LOG",
  ], "/dev/termination-log"),
];

/** The whole table of `flashjob flash`, in the order of its help. */
export const FLASH_OPTIONS: readonly Option[] = [
  ...IMAGE_OPTIONS,
  ...JOB_OPTIONS,
  ...REGISTRY_OPTIONS,
  ...CHECK_OPTIONS,
  ...SIGNATURE_OPTIONS,
  ...OUTPUT_OPTIONS,
];

function value(
  name: string,
  group: string,
  placeholder: string,
  help: string,
  variables: readonly string[] = [],
  fallback?: string,
): Option {
  return {
    name,
    kind: "value",
    group,
    placeholder,
    help,
    variables,
    ...(fallback === undefined ? {} : { fallback }),
  };
}

function toggle(name: string, group: string, help: string, variables: readonly string[] = []): Option {
  return { name, kind: "switch", group, help, variables };
}

function list(
  name: string,
  group: string,
  placeholder: string,
  help: string,
  variables: readonly string[],
): Option {
  return { name, kind: "list", group, placeholder, help, variables };
}
