/**
 * Images written by programs other than ours: skopeo, and buildah as root (vfs storage, chroot isolation).
 *
 * @module
 */

import { buildFirmwareImage } from "../builders/oci_image.ts";
import { writeOciLayout } from "../builders/oci_layout.ts";

/** Where a program pushes to. */
export interface WriterTarget {
  /** `HOST/REPOSITORY:TAG`. */
  readonly name: string;
  readonly credentials?: { readonly username: string; readonly password: string };
}

/** The file that is in every image. */
export const WRITTEN_FIRMWARE: Uint8Array<ArrayBuffer> = Uint8Array.from(
  { length: 50_000 },
  (_, index) => (index * 13) % 256,
);

const ARCHITECTURES = ["esp32", "esp32s3"];

/** skopeo reads our layout and writes what it makes of it, as OCI or as Docker schema 2. */
export async function writeWithSkopeo(target: WriterTarget, format: "oci" | "v2s2"): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "skopeo-" });
  try {
    const platforms = ARCHITECTURES.map((architecture) => ({ architecture, firmware: WRITTEN_FIRMWARE }));
    await writeOciLayout(buildFirmwareImage({ format: "oci", platforms }), directory, "v1");
    const login = target.credentials
      ? ["--dest-creds", `${target.credentials.username}:${target.credentials.password}`]
      : [];
    await run("skopeo", [
      "--insecure-policy",
      "copy",
      "--all",
      "--dest-tls-verify=false",
      ...(format === "v2s2" ? ["--format", "v2s2"] : []),
      ...login,
      `oci:${directory}:v1`,
      `docker://${target.name}`,
    ]);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** buildah's own storage with a manifest list of two platforms, built once and pushed to any number of registries. */
export class BuildahStore implements AsyncDisposable {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** Builds the images: `FROM scratch`, one file, one label. */
  static async build(): Promise<BuildahStore> {
    const directory = await Deno.makeTempDir({ prefix: "buildah-" });
    const store = new BuildahStore(directory);
    await Deno.writeFile(`${directory}/app.bin`, WRITTEN_FIRMWARE);
    await store.#buildah("manifest", "create", "fw");
    for (const architecture of ARCHITECTURES) {
      const container = (await store.#buildah("from", "scratch")).trim();
      await store.#buildah("copy", container, `${directory}/app.bin`, "/firmware/app.bin");
      await store.#buildah(
        "config",
        "--os",
        "custom",
        "--arch",
        architecture,
        "--label",
        "com.urunc.iot.path=/firmware/app.bin",
        container,
      );
      const image = (await store.#buildah("commit", "--rm", container)).trim();
      await store.#buildah("manifest", "add", "--os", "custom", "--arch", architecture, "fw", image);
    }
    return store;
  }

  /** Pushes the list with its images. */
  async push({ name, credentials }: WriterTarget): Promise<void> {
    const login = credentials ? ["--creds", `${credentials.username}:${credentials.password}`] : [];
    await this.#buildah(
      "manifest",
      "push",
      "--all",
      "--tls-verify=false",
      ...login,
      "fw",
      `docker://${name}`,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#directory, { recursive: true });
  }

  async #buildah(command: string, ...args: string[]): Promise<string> {
    const policy = `${this.#directory}/policy.json`;
    await Deno.writeTextFile(policy, JSON.stringify({ default: [{ type: "insecureAcceptAnything" }] }));
    const storage = ["--root", `${this.#directory}/root`, "--runroot", `${this.#directory}/run`];
    const reads = ["commit", "from", "push"].includes(command) ? ["--signature-policy", policy] : [];
    const [first = "", ...rest] = args;
    const isPush = command === "manifest" && first === "push";
    const words = isPush
      ? [command, first, "--signature-policy", policy, ...rest]
      : [command, ...reads, ...args];
    return await run("buildah", ["--storage-driver", "vfs", ...storage, ...words], {
      BUILDAH_ISOLATION: "chroot",
    });
  }
}

async function run(
  program: string,
  args: readonly string[],
  more: Record<string, string> = {},
): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args: [...args],
    env: { PATH: Deno.env.get("PATH") ?? "", HOME: Deno.env.get("HOME") ?? "/root", ...more },
    clearEnv: true,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`Cannot run '${program} ${args[0]}': ${decoder.decode(stderr).slice(-500)}`);
  return decoder.decode(stdout);
}
