const BUILDAH_PROGRAM = "/usr/bin/buildah";

/**
 * Whether images can be built here: buildah is installed and we are root, which it needs to change the root directory.
 * Where not, says so in one line; under `CI=true` that is an error.
 */
export async function buildahAvailable(): Promise<boolean> {
  const isThere = await Deno.stat(BUILDAH_PROGRAM).then((facts) => facts.isFile, () => false);
  if (isThere && Deno.uid() === 0) return true;
  const found = isThere ? "this is not root" : `${BUILDAH_PROGRAM} is not installed`;
  const sentence = `Cannot test the Containerfile: ${found}`;
  if (Deno.env.get("CI") === "true") throw new Error(sentence);
  console.log(`skipped: ${sentence}`);
  return false;
}

/** A store of images of a test's own; disposing removes everything. */
export class ImageStore implements AsyncDisposable {
  /** Holds the store, and what a test puts beside it. */
  readonly directory: string;

  private constructor(directory: string) {
    this.directory = directory;
  }

  /** An empty store. */
  static async open(): Promise<ImageStore> {
    return new ImageStore(await Deno.makeTempDir({ prefix: "images-" }));
  }

  /** Runs one command of buildah; resolves to its standard output, trimmed. Throws when it fails. */
  async buildah(command: string, ...args: readonly string[]): Promise<string> {
    const { directory } = this;
    const { success, stdout, stderr } = await new Deno.Command(BUILDAH_PROGRAM, {
      // deno-fmt-ignore
      args: [
        "--root", `${directory}/root`, "--runroot", `${directory}/runroot`, "--storage-driver", "vfs",
        command, ...args,
      ],
      clearEnv: true,
      env: { HOME: directory, TMPDIR: directory, PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
      stdin: "null",
    }).output();
    const decoder = new TextDecoder();
    if (!success) throw new Error(`Cannot buildah ${command} ${args.join(" ")}: ${decoder.decode(stderr)}`);
    return decoder.decode(stdout).trim();
  }

  /** Makes an image of the files of a directory, if one is given, with these variables. */
  async makeImage(
    name: string,
    files?: string,
    variables: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    const container = await this.buildah("from", "--pull-never", "scratch");
    if (files !== undefined) await this.buildah("copy", "--quiet", container, files, "/");
    const settings = Object.entries(variables).flatMap(([name, value]) => ["--env", `${name}=${value}`]);
    if (settings.length > 0) await this.buildah("config", ...settings, container);
    await this.buildah("commit", "--quiet", "--rm", container, name);
  }

  /** Path of the files of an image, for as long as the store is open. */
  async openImage(name: string): Promise<string> {
    return await this.buildah("mount", await this.buildah("from", "--pull-never", name));
  }

  /** Removes all images and files. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.buildah("rm", "--all");
    await Deno.remove(this.directory, { recursive: true });
  }
}
