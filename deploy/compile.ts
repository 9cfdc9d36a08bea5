/**
 * Writes the stand-alone program with exactly the permissions it needs:
 *
 *     deno task compile [--output FILE] [--agent PATH] [--program PATH]
 *
 * `--program` is where the program will stand when it runs: it may start itself there as the built-in agent.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";

/** Where a program can ask a cloud for credentials: nothing of ours is ever there. */
const FORBIDDEN_NETWORKS = ["169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128"];

/** The places it writes to: temporary files, Kubernetes' termination message, a cache that is mounted. */
const WRITABLE = ["/tmp", "/dev/termination-log", "/var/cache/flashjob"];

/** The permissions of the compiled program as flags of `deno compile`. */
export function permissionFlags(agent: string, program: string): string[] {
  return [
    "--no-prompt",
    "--allow-net",
    `--deny-net=${FORBIDDEN_NETWORKS.join(",")}`,
    // Variables with names of Akri's choosing (HOST_ENDPOINT_*) are found only by listing all.
    "--allow-env",
    // Certificates, pull secrets and policies are mounted where the user likes.
    "--allow-read",
    `--allow-write=${WRITABLE.join(",")}`,
    `--allow-run=${agent},${program}`,
  ];
}

if (import.meta.main) {
  const args = parseArgs(Deno.args, { string: ["output", "agent", "program"] });
  const text = (name: string, fallback: string): string => String(args[name] ?? fallback);
  const output = text("output", "dist/flashjob");
  const flags = permissionFlags(
    text("agent", "/usr/local/bin/ota-agent"),
    text("program", "/usr/local/bin/flashjob"),
  );
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: [
      "compile",
      "--frozen",
      ...flags,
      "--output",
      output,
      new URL("../main.ts", import.meta.url).pathname,
    ],
  }).spawn().status;
  Deno.exit(code);
}
