/** Where a compiled program will stand, and what it may use beyond the minimum. */
export interface Installation {
  /** Path of the program itself: it may start itself there as the built-in agent. */
  readonly program: string;
  /** Path of a classic agent program, which need not exist. */
  readonly agent: string;
  /** More directories to write to, where `flashjob pull` and `flashjob certs` are to leave files. */
  readonly writable?: readonly string[];
  /** More programs to start, such as `docker-credential-ecr-login`. */
  readonly runnable?: readonly string[];
}

/** The pod's image: what Containerfile installs. */
export const IN_POD: Installation = { program: "/usr/local/bin/flashjob", agent: "/usr/local/bin/ota-agent" };

/**
 * Where a program can ask a cloud for credentials: no registry, device or attestation server is ever there. Addresses
 * are compared after names are resolved. Deno knows ranges of IPv4 only, so the IPv6 ones are named one by one; the
 * one name is for the case that a proxy resolves it.
 */
export const FORBIDDEN_NETWORKS: readonly string[] = [
  "169.254.0.0/16", // link-local: AWS, Azure, Google, OpenStack and others
  "100.100.100.200", // Alibaba
  "168.63.129.16", // Azure's host
  "[fd00:ec2::254]", // AWS
  "[fd00:ec2::23]", // AWS EKS pod identity
  "[fd20:ce::254]", // Google
  "[fe80::a9fe:a9fe]", // OpenStack
  "metadata.google.internal",
];

/** Where it writes: firmware on its way and the termination message in the one, `--cache` in the other. */
export const WRITABLE: readonly string[] = ["/tmp", "/var/cache/flashjob"];

/** Kubernetes mounts the pod's own credentials here; the program never talks to the cluster. */
export const UNREADABLE: readonly string[] = [
  "/run/secrets/kubernetes.io",
  "/var/run/secrets/kubernetes.io",
];

/** Everything that the program may do, as flags of `deno run` and `deno compile`. */
export function permissionFlags(place: Installation): string[] {
  const writable = [...WRITABLE, ...place.writable ?? []];
  const runnable = [place.agent, place.program, ...place.runnable ?? []];
  return [
    "--no-prompt",
    // Registries, devices and attestation servers are wherever the user says.
    "--allow-net",
    `--deny-net=${FORBIDDEN_NETWORKS.join(",")}`,
    // Variables with names of Akri's choosing (HOST_ENDPOINT_*) are found only by listing all.
    "--allow-env",
    // Certificates, pull secrets and policies are mounted where the user likes.
    "--allow-read",
    `--deny-read=${UNREADABLE.join(",")}`,
    `--allow-write=${writable.join(",")}`,
    // Certain programs only, at a price: nothing may be signalled but its own child (docs/packaging.md).
    `--allow-run=${runnable.join(",")}`,
    // Without this, modules may come from a list of public hosts.
    "--deny-import",
  ];
}
