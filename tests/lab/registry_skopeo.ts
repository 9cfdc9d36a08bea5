/**
 * The `skopeo` program of Debian, as a second opinion on our images and registry.
 *
 * @module
 */

import { havePrograms } from "./have_programs.ts";

const SKOPEO_PROGRAM = "/usr/bin/skopeo";

/** What a run of skopeo gave. */
export interface SkopeoRun {
  /** Whether it left with 0. */
  readonly ok: boolean;
  /** All it printed. */
  readonly stdout: string;
  /** All it complained of. */
  readonly stderr: string;
}

/** Whether skopeo is installed; see {@linkcode havePrograms}. */
export async function skopeoAvailable(): Promise<boolean> {
  return await havePrograms([SKOPEO_PROGRAM]);
}

/** Runs skopeo without trust policy, host configuration or credentials of the user. */
export async function skopeo(...args: readonly string[]): Promise<SkopeoRun> {
  const home = await Deno.makeTempDir({ prefix: "skopeo-" });
  try {
    const command = new Deno.Command(SKOPEO_PROGRAM, {
      args: ["--insecure-policy", "--registries.d", home, "--tmpdir", home, ...args],
      clearEnv: true,
      env: { HOME: home, XDG_RUNTIME_DIR: home },
      stdin: "null",
    });
    const { success, stdout, stderr } = await command.output();
    const decoder = new TextDecoder();
    return { ok: success, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  } finally {
    await Deno.remove(home, { recursive: true });
  }
}

/** What {@linkcode copyLayout} copies, and to where. */
export interface LayoutCopy {
  /** Directory that `writeOciLayout` wrote. */
  readonly directory: string;
  /** Tag in the layout. */
  readonly tag: string;
  /** `HOST/REPOSITORY:TAG`. */
  readonly destination: string;
  /** `user:password`. */
  readonly credentials?: string;
  /** Converts to Docker schema 2 on the way. */
  readonly toDocker?: boolean;
}

/** Pushes an OCI layout with all its platforms into a plain-HTTP registry. Throws when skopeo fails. */
export async function copyLayout(copy: LayoutCopy): Promise<void> {
  const run = await skopeo(
    "copy",
    "--all",
    "--dest-tls-verify=false",
    ...(copy.credentials === undefined ? ["--dest-no-creds"] : ["--dest-creds", copy.credentials]),
    ...(copy.toDocker ? ["--format", "v2s2"] : []),
    `oci:${copy.directory}:${copy.tag}`,
    `docker://${copy.destination}`,
  );
  if (!run.ok) throw new Error(`Cannot copy to '${copy.destination}': ${run.stderr}`);
}
